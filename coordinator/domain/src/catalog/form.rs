//! The forms of telephony ids, used as `format` in the catalog's JSON Schemas. A field of such a form is normalised
//! before anything is compared with it, so that one number is one resource, however it was written.

/// The most digits of an MSISDN (E.164).
pub const MSISDN_DIGITS_MAX: usize = 15;
/// The fewest and the most digits of an IMSI.
pub const IMSI_DIGITS: (usize, usize) = (5, 15);
/// The fewest and the most digits of an ICCID.
pub const ICCID_DIGITS: (usize, usize) = (19, 20);

/// The form of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A telephone number as E.164 digits, country code first.
    Msisdn,
    /// The identity of a subscription.
    Imsi,
    /// The identity of a SIM card.
    Iccid,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Msisdn, Self::Imsi, Self::Iccid];

    /// Its name as a JSON Schema `format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Msisdn => "msisdn",
            Self::Imsi => "imsi",
            Self::Iccid => "iccid",
        }
    }

    /// The form of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == name)
    }

    /// Normalises `text` to digits only. For an MSISDN, a leading `+`, spaces and dashes are removed.
    ///
    /// # Errors
    /// A sentence on what the form requires. It does not repeat the text, which is personal data.
    pub fn normalise(self, text: &str) -> Result<String, &'static str> {
        let digits = match self {
            Self::Msisdn => {
                let bare: String = text.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
                bare.strip_prefix('+').map(str::to_owned).unwrap_or(bare)
            }
            Self::Imsi | Self::Iccid => text.to_owned(),
        };
        let (digits_min, digits_max) = match self {
            Self::Msisdn => (1, MSISDN_DIGITS_MAX),
            Self::Imsi => IMSI_DIGITS,
            Self::Iccid => ICCID_DIGITS,
        };
        let is_sound = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits_min..=digits_max).contains(&digits.len())
            // No country code begins with 0: this is a number in national format, which would be another resource.
            && !(self == Self::Msisdn && digits.starts_with('0'));
        if is_sound { Ok(digits) } else { Err(self.expected()) }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Msisdn => "must be an E.164 number: 1 to 15 digits, country code first",
            Self::Imsi => "must be an IMSI: 5 to 15 digits",
            Self::Iccid => "must be an ICCID: 19 or 20 digits",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for text in ["12065551234", "+12065551234", "+1 206-555-1234", " 1-206 555 1234 "] {
            assert_eq!(Form::Msisdn.normalise(text).unwrap(), "12065551234");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "+", "++12", "12a", "1+2", "02065551234", "0012065551234", "١٢٣", "1\u{0}", "(206)5551234"]
        {
            assert!(Form::Msisdn.normalise(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn each_form_is_taken_at_its_edges_and_not_beyond() {
        for (form, least, most) in [(Form::Msisdn, 1, 15), (Form::Imsi, 5, 15), (Form::Iccid, 19, 20)] {
            assert!(form.normalise(&"1".repeat(least - 1)).is_err());
            assert!(form.normalise(&"1".repeat(least)).is_ok());
            assert!(form.normalise(&"1".repeat(most)).is_ok());
            assert!(form.normalise(&"1".repeat(most + 1)).is_err());
        }
    }

    #[test]
    fn only_numbers_lose_their_decoration() {
        assert!(Form::Imsi.normalise("+00101").is_err());
        assert!(Form::Iccid.normalise("8901 0000 0000 0000 000").is_err());
    }
}
