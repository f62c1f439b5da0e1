use std::path::PathBuf;

use super::*;

/// A file with this text, and sources that read it.
pub(super) fn file(text: &str) -> (tempfile::TempDir, SettingsSources) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(CONFIG_FILE_DEFAULT), text).unwrap();
    let sources =
        SettingsSources { working_directory: Some(directory.path().to_owned()), ..SettingsSources::default() };
    (directory, sources)
}

pub(super) fn environment(name: &str, value: &str) -> SettingsSources {
    SettingsSources {
        environment: std::iter::once((name.to_owned(), value.to_owned())).collect(),
        ..SettingsSources::default()
    }
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let (_directory, mut sources) = file("prefix = \"from-file\"\ntenant = \"from-file\"\ncatalog = \"from-file\"\n");
    for name in ["INTERLOCK_PREFIX", "INTERLOCK_TENANT"] {
        sources.environment.insert(name.to_owned(), "from-variable".to_owned());
    }
    sources.flags.push(("--tenant", "tenant", "from-flag".to_owned()));
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.tenant.as_str(), "from-flag");
    assert_eq!(settings.prefix.as_str(), "from-variable");
    assert_eq!(settings.catalog, Some(PathBuf::from("from-file")));
    assert_eq!(settings.log.level, "info");
    let routing = Settings::default().routing(&Catalog::reference(), ShardCount::default()).unwrap();
    assert_eq!(routing.settings().shard_count.get(), 16);
}

#[test]
fn a_variable_sets_one_key_of_a_table_and_leaves_the_others() {
    let (_directory, mut sources) = file("[log]\nlevel = \"debug\"\nformat = \"json\"\n[limits]\ntickets_max = 7\n");
    sources.environment.insert("INTERLOCK_LOG_LEVEL".to_owned(), "warn".to_owned());
    sources.environment.insert("INTERLOCK_LIMITS_JOURNAL_MAX".to_owned(), "5".to_owned());
    sources.environment.insert("INTERLOCK_OFFLINE".to_owned(), "1".to_owned());
    let settings = Settings::load(&sources).unwrap();
    assert_eq!((settings.log.level.as_str(), settings.log.format), ("warn", LogFormat::Json));
    assert_eq!((settings.limits.tickets_max, settings.limits.journal_max), (7, 5));
    assert!(settings.offline);
}

#[test]
fn a_tenant_takes_events_of_espf_if_a_target_translates_them() {
    let load = |text: &str| {
        let (_directory, sources) = file(text);
        Settings::load(&sources).map_err(|fault| fault.to_string())
    };
    let targets = "[targets.in]\nadapter = \"intake\"\nfile = \"portaone-espf.toml\"\nproducer = \"api\"\n\
                   [targets.api]\nadapter = \"declarative\"\nfile = \"portaone-api.toml\"\nbase_url = \"http://api\"\n";
    let tenant = "[espf.blue]\ntarget = \"in\"\nusers = [{ username = \"espf\", password = \"pw\" }]\n\
                  [espf.blue.signature]\nkeys = [{ env = \"ESPF_KEY\" }]\n";
    let settings = load(&format!("{targets}{tenant}")).unwrap();
    let signature = settings.espf[&"blue".parse().unwrap()].signature.clone().unwrap();
    assert_eq!((signature.header.as_str(), signature.date_within.as_secs()), ("X-Signature", 300));
    let refused = |text: String, part: &str| {
        let fault = load(&text).unwrap_err();
        assert!(fault.contains(part), "{fault}");
    };
    refused(format!("{targets}{}", tenant.replace("\"in\"", "\"api\"")), "espf.blue.target");
    refused(format!("{targets}{}", tenant.replace("[{ env = \"ESPF_KEY\" }]", "[]")), "espf.blue.signature.keys");
    refused(format!("{targets}{}", tenant.replace("\"espf\"", "\"a:b\"")), "espf.blue.users");
    refused(format!("{targets}{}", tenant.replace("\"pw\"", "\" \"")), "espf.blue.users, number 1");
    refused(targets.replace("file = \"portaone-espf.toml\"\n", ""), "targets.in.file");
    refused(targets.replace("producer = \"api\"", "producer = \"in\""), "targets.in.producer");
    refused(targets.replace("adapter = \"intake\"", "adapter = \"intake\"\nbase_url = \"http://x\""), "base_url");
}

#[test]
fn names_of_tenants_and_targets_are_kept_as_they_are_written() {
    let (_directory, sources) = file(
        "[tenants.\"Blue.Nord\"]\nplan = \"pro\"\n[tenants.\"Blue.Nord\".targets]\nhss = \"HSS.east\"\n\
         [targets.\"HSS.east\"]\nadapter = \"pyhss\"\nbase_url = \"http://10.0.0.5:8080\"\ntimeout = \"7s\"\n",
    );
    let settings = Settings::load(&sources).unwrap();
    let tenant = &settings.tenants[&"Blue.Nord".parse().unwrap()];
    let target = &tenant.targets[&"hss".parse().unwrap()];
    assert_eq!(target.as_str(), "HSS.east");
    assert_eq!(settings.targets[target].timeout.as_secs(), 7);
}

#[test]
fn an_unknown_key_is_an_error_that_names_file_line_and_key() {
    for (text, key) in [
        ("prefix = \"a\"\nprefxi = \"b\"\n", "prefxi"),
        ("[gateway]\nlissten = \"b\"\n", "lissten"),
        ("\n[limits]\nticket_max = 3\n", "ticket_max"),
        ("\n[targets.crm]\nadapter = \"json\"\nbase_url = \"http://crm\"\ntimout = \"5s\"\n", "timout"),
    ] {
        let (directory, sources) = file(text);
        let fault = Settings::load(&sources).unwrap_err();
        assert_eq!(fault.code, "settings_file_malformed", "{fault}");
        assert!(fault.message.contains(key), "{fault}");
        assert!(fault.message.contains(&directory.path().display().to_string()), "{fault}");
    }
    let (_directory, sources) = file("prefix = \"a\"\nprefxi = \"b\"\n");
    assert!(Settings::load(&sources).unwrap_err().message.contains("line 2"));
}

#[test]
fn a_value_of_the_wrong_type_names_the_variable_it_came_from() {
    let fault = Settings::load(&environment("INTERLOCK_QUEUE_SHARDS", "many")).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.exit_code()), ("setting_invalid", 2));
    assert!(fault.message.contains("INTERLOCK_QUEUE_SHARDS"), "{fault}");
}

#[test]
fn values_out_of_range_are_refused_at_the_edge() {
    for (name, good, bad) in [
        ("INTERLOCK_QUEUE_SHARDS", "1000", "1001"),
        ("INTERLOCK_QUEUE_SHARDS", "1", "0"),
        ("INTERLOCK_LIMITS_SIGNALS_MAX", "9000", "9001"),
        ("INTERLOCK_LIMITS_TICKETS_MAX", "1", "0"),
        ("INTERLOCK_LIMITS_CONTINUE_AS_NEW_EVENTS", "2000", "2001"),
        ("INTERLOCK_PREFIX", &"a".repeat(64), &"a".repeat(65)),
        ("INTERLOCK_PREFIX", "a.b_c-d", "a/b"),
    ] {
        assert!(Settings::load(&environment(name, good)).is_ok(), "{name}={good}");
        assert_eq!(Settings::load(&environment(name, bad)).unwrap_err().code, "setting_invalid", "{name}={bad}");
    }
}

#[test]
fn a_second_person_has_from_a_second_to_a_week_and_only_actions_that_exist() {
    let load = |text: &str| {
        let (_directory, sources) = file(&format!("[second_person]\n{text}\n"));
        Settings::load(&sources)
    };
    for within in ["1s", "7d"] {
        let settings = load(&format!("actions = [\"cancel\"]\nwithin = \"{within}\"")).unwrap();
        assert!(settings.second_person.rule().needs(None, "cancel"), "{within}");
    }
    for within in ["999ms", "7d 1s"] {
        let fault = load(&format!("within = \"{within}\"")).unwrap_err();
        assert!(fault.message.contains("second_person.within"), "{fault}");
    }
    let fault = load("actions = [\"cancle\"]").unwrap_err();
    assert!(fault.message.contains("cancle") && fault.message.contains("force_release"), "{fault}");
    let settings = load("actions = [\"cancel\"]\n[second_person.tenants]\nblue = []").unwrap();
    assert!(!settings.second_person.rule().needs(Some(&"blue".parse().unwrap()), "cancel"));
}

#[test]
fn without_tokens_the_gateway_listens_on_loopback_only() {
    let fault = Settings::load(&environment("INTERLOCK_GATEWAY_LISTEN", "0.0.0.0:8088")).unwrap_err();
    assert_eq!(fault.code, "gateway_without_tokens");
    let (_directory, mut sources) =
        file("[[gateway.tokens]]\ntoken = \"open sesame\"\nrole = \"submit\"\ntenants = [\"blue\"]\n");
    sources.flags.push(("--listen", "gateway.listen", "0.0.0.0:8088".to_owned()));
    let settings = Settings::load(&sources).unwrap();
    assert!(!settings.gateway.listen.ip().is_loopback());
    assert!(!format!("{settings:?}").contains("sesame"));
}

#[test]
fn a_tenant_cannot_use_a_target_that_is_not_there() {
    let (_directory, sources) = file("[tenants.blue.targets]\nhss = \"hss-east\"\n");
    let fault = Settings::load(&sources).unwrap_err();
    assert!(fault.message.contains("tenants.blue.targets.hss"), "{fault}");
}

#[test]
fn a_target_gets_urls_for_call_backs_only_if_they_are_configured() {
    let key = "k".repeat(32);
    let crm = "[targets.crm]\nadapter = \"json\"\nbase_url = \"http://10.0.0.5\"\ncallbacks = true\n";
    let load = |callbacks: &str| Settings::load(&file(&format!("{crm}{callbacks}")).1);
    let with = |url: &str, keys: &str| load(&format!("[callbacks]\nurl = \"{url}\"\nkeys = [{keys}]\n"));
    let good = with("https://interlock.example/x", &format!("\"{key}\"")).unwrap();
    assert!(good.callbacks.unwrap().urls().is_ok());
    for (settings, setting) in [
        (load(""), "targets.crm.callbacks"),
        (with("ftp://interlock.example", "\"k\""), "callbacks.url"),
        (with("https://interlock.example/?a=b", "\"k\""), "callbacks.url"),
        (with("https://interlock.example/#a", "\"k\""), "callbacks.url"),
        (with("https://ann@interlock.example", "\"k\""), "callbacks.url"),
        (with("https://:secret@interlock.example", "\"k\""), "callbacks.url"),
        (with("https://interlock.example", ""), "callbacks.keys"),
    ] {
        let fault = settings.unwrap_err();
        assert_eq!(fault.code, "setting_invalid");
        assert!(fault.message.contains(setting) && !fault.message.contains("secret"), "{fault}");
    }
    assert_eq!(with("https://x", "\" \"").unwrap_err().code, "secret_empty");
    // Whether a key can be used is checked where it is read.
    let short = with("https://x", &format!("\"{}\"", &key[1..])).unwrap().callbacks.unwrap();
    let missing = with("https://x", "{ file = \"/nowhere/key\" }").unwrap().callbacks.unwrap();
    for unusable in [short, missing] {
        assert_eq!(unusable.urls().unwrap_err().code, "callback_key_invalid");
    }
}

#[test]
fn the_temporal_ui_is_an_address_of_a_page() {
    let load = |url: &str| Settings::load(&file(&format!("[console]\ntemporal_ui = \"{url}\"\n")).1);
    let ui = load("https://temporal.example/ui").unwrap().console.temporal_ui;
    assert_eq!(ui.unwrap().as_str(), "https://temporal.example/ui");
    for wrong in
        ["ftp://temporal.example", "https://x/?a=b", "https://x/#a", "https://:secret@x", "javascript:alert(1)"]
    {
        let fault = load(wrong).unwrap_err();
        assert_eq!(fault.code, "setting_invalid", "{wrong}");
        assert!(fault.message.contains("console.temporal_ui") && !fault.message.contains("secret"), "{fault}");
    }
}

#[test]
fn the_targets_whose_workers_repeat_proofs_are_those_that_are_not_external_whoever_reads_the_settings() {
    let (_directory, sources) = file(
        "[targets.hss]\nadapter = \"pyhss\"\nbase_url = \"http://hss.invalid/\"\nauth = { kind = \"bearer\", token = { env = \"NOBODY_SETS_IT\" } }\n\
         [targets.billing]\nadapter = \"external\"\n",
    );
    let settings = Settings::load(&sources).unwrap();
    let own = ["hss".parse().unwrap()];
    assert_eq!(settings.proving_targets(), own.into(), "no secret is asked for, as those who plan have none");
}

#[test]
fn a_named_file_that_is_not_there_is_an_error_and_the_default_one_is_not() {
    let sources = SettingsSources { working_directory: Some("/nowhere".into()), ..SettingsSources::default() };
    assert!(Settings::load(&sources).is_ok());
    let named = environment("INTERLOCK_CONFIG", "/nowhere/interlock.toml");
    assert_eq!(Settings::load(&named).unwrap_err().code, "settings_file_unreadable");
}

#[test]
fn variables_of_others_and_empty_ones_are_ignored() {
    assert!(Settings::load(&environment("INTERLOCK_GATEWAY_PORT", "tcp://10.0.0.1:80")).is_ok());
    assert_eq!(Settings::load(&environment("INTERLOCK_PREFIX", "")).unwrap().prefix.as_str(), "interlock");
}

#[test]
fn every_limit_has_a_variable_that_says_its_default() {
    let limits = serde_json::to_value(EntityLimits::default()).unwrap();
    for (name, default) in limits.as_object().unwrap() {
        let key = format!("limits.{name}");
        let variable = VARIABLES.iter().find(|variable| variable.key == Some(&key));
        let variable = variable.unwrap_or_else(|| panic!("{key} is not declared in variables.rs"));
        assert_eq!(variable.default, default.to_string(), "{key}");
        assert_eq!(variable.name, format!("INTERLOCK_{}", key.replace('.', "_").to_uppercase()));
    }
}

#[test]
fn the_reference_page_says_what_is_declared() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    if std::env::var_os("INTERLOCK_WRITE_DOCS").is_some() {
        std::fs::write(&file, reference_page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == reference_page(), "{} is out of step: run with INTERLOCK_WRITE_DOCS=1", file.display());
}

#[test]
fn an_id_key_hides_the_ids_of_resources_in_workflow_ids() {
    let resource = "msisdn/12065551234".parse().unwrap();
    let workflow_id = |sources: &SettingsSources| {
        let routing = Settings::load(sources).unwrap().routing(&Catalog::reference(), ShardCount::ONE).unwrap();
        routing.resource(&TenantId::default(), &resource).workflow_id
    };
    assert!(workflow_id(&SettingsSources::default()).ends_with("/msisdn/12065551234"));
    assert!(!workflow_id(&environment("INTERLOCK_ID_KEY", "a key")).contains("12065551234"));
}

#[test]
fn a_catalog_that_is_faulty_or_not_there_is_told_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("catalog.toml");
    let settings = Settings { catalog: Some(file.clone()), ..Settings::default() };
    assert_eq!(settings.catalog().unwrap_err().code, "catalog_unreadable");
    std::fs::write(&file, "nonsense = 1").unwrap();
    let fault = settings.catalog().unwrap_err();
    assert_eq!(fault.code, "catalog_faulty");
    assert!(fault.message.contains(&file.display().to_string()), "{fault}");
    assert!(fault.next.contains("catalog check"), "{fault}");
}

#[test]
fn a_workloads_table_is_layered_key_by_key() {
    let (_directory, mut sources) =
        file("[workers]\ndrain = \"7s\"\n[workers.entity]\ncached_entities = 5\npollers_max = 9\n");
    for (name, value) in [
        ("INTERLOCK_WORKERS_ENTITY_CACHED_ENTITIES", "6"),
        ("INTERLOCK_WORKERS_JOBS_SLOTS", "resource_based"),
        ("INTERLOCK_WORKERS_JOBS_TARGET_CPU", "0.5"),
        ("INTERLOCK_WORKERS_DRAIN", "8s"),
    ] {
        sources.environment.insert(name.to_owned(), value.to_owned());
    }
    let WorkersSettings { drain, entity, jobs, resource, .. } = Settings::load(&sources).unwrap().workers;
    assert_eq!(drain.as_secs(), 8);
    let set = |value: Option<std::num::NonZeroUsize>| value.map(std::num::NonZeroUsize::get);
    assert_eq!((set(entity.cached_entities), set(entity.pollers_max)), (Some(6), Some(9)));
    assert_eq!((jobs.slots, jobs.target_cpu), (Some(SlotSupply::ResourceBased), Some(0.5)));
    assert_eq!(resource, WorkloadSettings::default());
}

#[test]
fn workers_that_could_not_work_are_refused_at_the_edge() {
    for (name, good, bad) in [
        ("INTERLOCK_WORKERS_ENTITY_WORKFLOW_TASKS", "2", "1"),
        ("INTERLOCK_WORKERS_ENTITY_LOCAL_ACTIVITIES", "200", "199"),
        ("INTERLOCK_WORKERS_RESOURCE_CACHED_ENTITIES", "1", "0"),
        ("INTERLOCK_WORKERS_PROVISIONING_POLLERS_MIN", "5", "6"),
        ("INTERLOCK_WORKERS_PROVISIONING_POLLERS_MAX", "5", "4"),
        ("INTERLOCK_WORKERS_PROVISIONING_ACTIVITIES_PER_SECOND", "0.1", "0"),
        ("INTERLOCK_WORKERS_JOBS_TARGET_MEMORY", "1", "1.1"),
        ("INTERLOCK_WORKERS_JOBS_TARGET_CPU", "0.1", "0"),
    ] {
        assert!(Settings::load(&environment(name, good)).is_ok(), "{name}={good}");
        assert_eq!(Settings::load(&environment(name, bad)).unwrap_err().code, "setting_invalid", "{name}={bad}");
    }
}

#[test]
fn every_key_of_a_workload_is_declared() {
    let all = WorkloadSettings {
        cached_entities: Some(std::num::NonZeroUsize::MIN),
        workflow_tasks: Some(std::num::NonZeroUsize::MIN),
        local_activities: Some(std::num::NonZeroUsize::MIN),
        activities: Some(std::num::NonZeroUsize::MIN),
        activities_per_second: Some(1.0),
        slots: Some(SlotSupply::Fixed),
        target_memory: Some(1.0),
        target_cpu: Some(1.0),
        pollers_min: Some(std::num::NonZeroUsize::MIN),
        pollers_initial: Some(std::num::NonZeroUsize::MIN),
        pollers_max: Some(std::num::NonZeroUsize::MIN),
        workers_per_queue: Some(std::num::NonZeroUsize::MIN),
    };
    let keys: Vec<String> = serde_json::to_value(all).unwrap().as_object().unwrap().keys().cloned().collect();
    let mut declared: Vec<&str> = WORKLOAD_KEYS.iter().map(|of| of.key).collect();
    declared.sort_unstable();
    assert_eq!(keys, declared);
}
