//! The tables of PyHSS 2.0 that the sandbox has, in the form of its HTTP API.

use super::table::Schema;

/// SIMs.
pub(super) static AUC: Schema = Schema {
    name: "auc",
    id_column: "auc_id",
    required: &["ki", "opc", "amf"],
    unique: &["iccid", "imsi"],
    flags: &[("esim", false)],
    numbers: &[],
    others: &[
        "sqn",
        "batch_name",
        "sim_vendor",
        "lpa",
        "pin1",
        "pin2",
        "puk1",
        "puk2",
        "kid",
        "psk",
        "des",
        "adm1",
        "algo",
        "misc1",
        "misc2",
        "misc3",
        "misc4",
    ],
};

/// The columns of `auc` that are never shown.
pub(super) const AUC_SECRETS: [&str; 6] = ["opc", "ki", "des", "kid", "psk", "adm1"];

/// Access points.
pub(super) static APN: Schema = Schema {
    name: "apn",
    id_column: "apn_id",
    required: &["apn", "apn_ambr_dl", "apn_ambr_ul"],
    unique: &[],
    flags: &[("arp_preemption_capability", false), ("arp_preemption_vulnerability", true), ("nbiot", false)],
    numbers: &[("ip_version", 0), ("qci", 9), ("arp_priority", 4)],
    others: &[
        "pgw_address",
        "sgw_address",
        "charging_characteristics",
        "charging_rule_list",
        "nidd_scef_id",
        "nidd_scef_realm",
        "nidd_mechanism",
        "nidd_rds",
        "nidd_preferred_data_mode",
    ],
};

/// Subscribers. Their number is *not* unique.
pub(super) static SUBSCRIBER: Schema = Schema {
    name: "subscriber",
    id_column: "subscriber_id",
    required: &["auc_id", "default_apn", "apn_list"],
    unique: &["imsi"],
    flags: &[("enabled", true), ("roaming_enabled", true)],
    numbers: &[("ue_ambr_dl", 999_999), ("ue_ambr_ul", 999_999), ("nam", 0), ("subscribed_rau_tau_timer", 300)],
    others: &[
        "msisdn",
        "roaming_rule_list",
        "serving_mme",
        "serving_mme_timestamp",
        "serving_mme_realm",
        "serving_mme_peer",
        "serving_msc",
        "serving_msc_timestamp",
        "serving_vlr",
        "serving_vlr_timestamp",
        "serving_sgsn",
        "serving_sgsn_timestamp",
        "last_seen_eci",
        "last_seen_enodeb_id",
        "last_seen_cell_id",
        "last_seen_tac",
        "last_seen_mcc",
        "last_seen_mnc",
        "last_location_update_timestamp",
    ],
};

/// IMS subscribers: their number is unique, their IMSI is not.
pub(super) static IMS_SUBSCRIBER: Schema = Schema {
    name: "ims_subscriber",
    id_column: "ims_subscriber_id",
    required: &[],
    unique: &["msisdn"],
    flags: &[],
    numbers: &[],
    others: &[
        "msisdn_list",
        "imsi",
        "ifc_path",
        "pcscf",
        "pcscf_realm",
        "pcscf_active_session",
        "pcscf_timestamp",
        "pcscf_peer",
        "xcap_profile",
        "sh_profile",
        "scscf",
        "scscf_timestamp",
        "scscf_realm",
        "scscf_peer",
        "sh_template_path",
    ],
};

/// Free attributes of subscribers.
pub(super) static SUBSCRIBER_ATTRIBUTES: Schema = Schema {
    name: "subscriber_attributes",
    id_column: "subscriber_attributes_id",
    required: &["subscriber_id"],
    unique: &[],
    flags: &[],
    numbers: &[],
    others: &["key", "value"],
};
