//! Which resources a claim or a step names: one (`msisdn/{msisdn}`), or those that the customer holds (`msisdn/*`, `*`).

use super::template::{Facts, Piece, Template};
use crate::error_code::ErrorCode;
use crate::ids::{ResourceId, ResourceKind};
use crate::order::Rejection;
use crate::toml_text::{Entry, Faults};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// One resource.
    One { kind: ResourceKind, id: Template },
    /// All that the customer holds, of one kind or of any.
    Held(Option<ResourceKind>),
}

impl Pattern {
    /// Reads a pattern; notes a fault if it is invalid.
    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let text = entry.text(faults)?;
        Self::parse(text).map_err(|what| faults.add(&entry.spot, ErrorCode::BadTemplate, format!("{what}."))).ok()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Held(None));
        }
        let expected = || format!("'{text}' is not a valid resource; write \"KIND/{{field}}\", \"KIND/*\" or \"*\"");
        let (kind, id) = text.split_once('/').ok_or_else(expected)?;
        if kind.contains(['{', '}']) || id.is_empty() {
            return Err(expected());
        }
        let kind = kind.parse().map_err(|fault| format!("'{kind}' is not a valid resource kind: {fault}"))?;
        if id == "*" {
            return Ok(Self::Held(Some(kind)));
        }
        Ok(Self::One { kind, id: Template::parse(id)? })
    }

    /// The kind, if the pattern names one.
    pub(super) fn kind(&self) -> Option<&ResourceKind> {
        match self {
            Self::One { kind, .. } | Self::Held(Some(kind)) => Some(kind),
            Self::Held(None) => None,
        }
    }

    /// Whether it includes held resources of this kind.
    pub(super) fn holds(&self, kind: &ResourceKind) -> bool {
        match self {
            Self::One { .. } => false,
            Self::Held(held) => held.as_ref().is_none_or(|held| held == kind),
        }
    }

    /// Whether it names all held resources of one kind: `KIND/*`.
    pub(super) fn is_all_of_a_kind(&self) -> bool {
        matches!(self, Self::Held(Some(_)))
    }

    /// Its template, if it names one resource.
    pub(super) fn template(&self) -> Option<&Template> {
        match self {
            Self::One { id, .. } => Some(id),
            Self::Held(_) => None,
        }
    }

    /// Whether it is the resource for which a step is repeated: `KIND/{@held}`.
    pub(super) fn is_the_held_one(&self) -> bool {
        self.template().is_some_and(|id| matches!(id.pieces.as_slice(), [Piece::Given(_)]) && id.uses_held())
    }

    /// The resource, if it names one.
    pub(super) fn render(&self, facts: &Facts<'_>) -> Option<Result<ResourceId, Rejection>> {
        let Self::One { kind, id } = self else { return None };
        let resource = id.render(facts).and_then(|id| {
            ResourceId::new(kind.clone(), &id).map_err(|fault| {
                let detail = format!("The data do not give a valid id of a resource of kind {kind}: {fault}.");
                Rejection::new(ErrorCode::InvalidData, detail)
            })
        });
        Some(resource)
    }
}
