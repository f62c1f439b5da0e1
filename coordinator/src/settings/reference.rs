//! The page `coordinator/docs/settings.md`, written from what is declared.

use std::fmt::Write;

use super::variables::VARIABLES;

const HEAD: &str = "\
# Settings

<!-- Written from coordinator/src/settings/variables.rs. A test compares it; to write it anew:
     INTERLOCK_WRITE_DOCS=1 cargo test -p interlock-coordinator settings -->

A flag wins over a variable, a variable over `interlock.toml`, and that over the default. An empty variable counts as not
set. Unknown keys in the file are errors; other variables that begin with `INTERLOCK_` are ignored. The connection to
Temporal is set as everywhere else: by Temporal's own flags, `TEMPORAL_*` variables and `temporal.toml` profiles.

| variable | key in interlock.toml | flag | default | meaning |
| --- | --- | --- | --- | --- |
";

const TABLES: &str = r#"
## Tables

These are set in `interlock.toml` only.

```toml
# Who may call the gateway. Without any, it serves loopback only.
[[gateway.tokens]]
token = "…"
role = "submit"             # submit | read | operate (which includes read)
tenants = ["blue"]

[tenants.blue]
plan = "pro"                # free (weight 1, the default) | pro (3) | enterprise (10)
namespace = "blue"          # default: default
[tenants.blue.targets]      # which target each role of the catalog is; without a mapping the role is the name
hss = "hss-east"

[targets.hss-east]
adapter = "pyhss"           # pyhss | json
base_url = "http://10.0.0.5:8080"
auth = { kind = "provisioning_key", key = "…" }   # none | bearer | basic | header | provisioning_key
timeout = "5s"
```

All settings of a target are described at `TargetSettings` in the crate `interlock-adapters`.
"#;

/// The reference page in Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for variable in VARIABLES {
        let code = |text: Option<&str>| text.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        // Writing to a String cannot fail.
        let _written = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            variable.name,
            code(variable.key),
            code(variable.flag),
            variable.default,
            variable.meaning.replace('|', "\\|"),
        );
    }
    page.push_str(TABLES);
    page
}
