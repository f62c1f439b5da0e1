//! Reading a catalog from its file.

use std::path::Path;

use interlock_domain::catalog::Catalog;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;

/// The text of a catalog file.
///
/// # Errors
/// [`Fault`] `catalog_unreadable`.
pub fn text(file: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(file).map_err(|error| {
        Fault::wrong_use(
            ErrorCode::CatalogUnreadable,
            format!("The catalog {} cannot be read: {error}.", file.display()),
        )
    })
}

/// The catalog in a file.
///
/// # Errors
/// [`Fault`] `catalog_unreadable`, or `catalog_faulty` with the first fault and how many there are.
pub fn read(file: &Path) -> Result<Catalog, Fault> {
    let name = file.display();
    Catalog::parse(&text(file)?).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Fault::wrong_use(
            ErrorCode::CatalogFaulty,
            format!("The catalog {name} has {} error(s), the first: {first}", faults.len()),
        )
        .with_next(format!("Run 'interlock catalog check {name}' to list all of them."))
    })
}
