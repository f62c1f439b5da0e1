//! Answers of targets, as the adapters that come with Interlock understand them.

use std::collections::BTreeMap;

use interlock_adapters::declarative::SHIPPED;
use interlock_adapters::{Adapter, DeclarativeAdapter, JsonHttpAdapter, PyhssAdapter};
use interlock_domain::ids::TargetId;

use crate::target_stub::{SECRET, TargetStub};

struct Targets {
    stub: TargetStub,
    /// Those that remember nothing from one call to the next.
    adapters: BTreeMap<String, Box<dyn Adapter>>,
}

thread_local! {
    static TARGETS: Targets = Targets::new();
}

/// The adapter and the call in the first line (`pyhss call assign_number`, `json verify release_number`, `espocrm call open_account`), then
/// the target's answers, a line each: `200 {"subscriber_id":7}`, `429 <retry-after: 5>`.
///
/// # Panics
/// If a call is done that no answer confirmed, if its outcome has the credentials in it or is too long, or if it takes too long.
pub fn answers(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let Some((adapter, call)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    // An outcome may repeat what is called.
    if call.contains(SECRET) {
        return;
    }
    TARGETS.with(|targets| match targets.adapters.get(adapter) {
        Some(adapter) => targets.stub.calls(&**adapter, call, lines),
        // It remembers what it has seen.
        None if adapter == "pyhss" => {
            let pyhss = PyhssAdapter::new(&target(), &targets.stub.settings("pyhss"));
            targets.stub.calls(&pyhss.unwrap_or_else(|fault| panic!("{fault}")), call, lines);
        }
        None => {}
    });
}

impl Targets {
    fn new() -> Self {
        let stub = TargetStub::new();
        let mut adapters = BTreeMap::<String, Box<dyn Adapter>>::new();
        let json = JsonHttpAdapter::new(&target(), &stub.settings("json")).unwrap_or_else(|fault| panic!("{fault}"));
        adapters.insert("json".to_owned(), Box::new(json));
        for (file, _) in SHIPPED {
            let mut settings = stub.settings("declarative");
            settings.file = Some(file.into());
            let adapter =
                DeclarativeAdapter::new(&target(), &settings).unwrap_or_else(|fault| panic!("{file}: {fault}"));
            adapters.insert(file.trim_end_matches(".toml").to_owned(), Box::new(adapter));
        }
        let mut settings = stub.settings("pyhss");
        settings.scan_rows_max = 0;
        let pyhss = PyhssAdapter::new(&target(), &settings).unwrap_or_else(|fault| panic!("{fault}"));
        adapters.insert("pyhss-without-scan".to_owned(), Box::new(pyhss));
        Self { stub, adapters }
    }
}

fn target() -> TargetId {
    "crm".parse().unwrap_or_else(|fault| unreachable!("a constant that is an id: {fault}"))
}
