//! The checker of adapter files finds every fault, with its place.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use interlock_adapters::declarative::check;
use interlock_domain::toml_text::TomlFault;

/// A valid file. Each test breaks one thing in it.
const SOUND: &str = r#"describes = "a CRM"
[parameters]
entity = "Contact"
[auth]
kind = "bearer"
token = { env = "CRM_TOKEN" }
[operations.add_number.capabilities]
verify = true
[operations.add_number.request]
method = "POST"
path = "api/{{ parameters.entity }}/{{ data.customer_id }}"
body = { phone = "{{ data.msisdn }}" }
responses = [
  { status = "2xx", class = "done" },
  { status = 409, body = { pointer = "/code", equals = "in_use" }, class = "in_use", holder = "{{ body.holder }}" },
  { status = "4xx", class = "permanent", code = "{{ body.code }}" },
  { class = "ambiguous" },
]
[operations.add_number.verify]
method = "GET"
path = "api/{{ data.customer_id }}"
responses = [{ status = 200, class = "applied" }, { class = "unclear" }]
"#;

/// The faults of the valid file after a replacement: line, path and code of each.
fn spoiled(old: &str, new: &str) -> Vec<(usize, String, &'static str)> {
    assert!(SOUND.contains(old), "{old}");
    check(&SOUND.replacen(old, new, 1)).into_iter().map(|fault| (fault.line, fault.path, fault.code.as_str())).collect()
}

fn codes(old: &str, new: &str) -> Vec<&'static str> {
    spoiled(old, new).into_iter().map(|(_, _, code)| code).collect()
}

#[test]
fn a_valid_file_has_no_faults() {
    assert_eq!(check(SOUND), []);
}

#[test]
fn the_example_of_the_manual_has_no_faults() {
    let manual = include_str!("../docs/declarative.md");
    let example = manual.split("```toml\n").nth(2).unwrap().split("```").next().unwrap();
    assert!(example.contains("[operations."));
    assert_eq!(check(example), []);
}

#[test]
fn a_fault_names_line_column_path_and_reason() {
    let faults = check(&SOUND.replacen("\"POST\"", "\"SEND\"", 1));
    let text = faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        text,
        [
            "10:10: operations.add_number.request.method: 'SEND' is not a supported method here; supported are: GET, HEAD, POST, PUT, \
          PATCH, DELETE. [unknown_value]"
        ]
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = SOUND.replacen("\"POST\"", "\"SEND\"", 1).replacen("data.msisdn", "date.msisdn", 1);
    let text = text.replacen("kind = \"bearer\"", "kind = \"magic\"", 1).replacen("\"2xx\"", "\"9xx\"", 1);
    let lines: Vec<_> = check(&text).into_iter().map(|fault| (fault.line, fault.code.as_str())).collect();
    assert_eq!(lines, [(5, "unknown_value"), (10, "unknown_value"), (12, "unknown_variable"), (14, "bad_status")]);
}

#[test]
fn invalid_toml_is_reported_with_its_place() {
    let syntax = |line| move |fault: &TomlFault| (fault.line, fault.code.as_str()) == (line, "syntax");
    assert!(check("describes = \"x\"\n[operations\n").iter().any(syntax(2)));
    assert!(check("a = 1\na = 2\n").iter().any(|fault| (fault.line, fault.code.as_str()) == (2, "duplicate_key")));
}

#[test]
fn unknown_and_missing_keys_are_faults() {
    assert_eq!(codes("method = \"POST\"", "methode = \"POST\""), ["missing_key", "unknown_key"]);
    assert_eq!(codes("describes = \"a CRM\"", "describe = \"a CRM\""), ["missing_key", "unknown_key"]);
    assert_eq!(codes("class = \"done\"", "klass = \"done\""), ["missing_key", "unknown_key"]);
    assert_eq!(check("describes = \"empty\"\n").len(), 1);
    assert_eq!(check("describes = \"empty\"\n")[0].code, "no_operations");
}

#[test]
fn templates_are_checked_for_syntax_variables_filters_and_tests() {
    assert_eq!(codes("{{ data.msisdn }}", "{{ data.msisdn "), ["template_syntax"]);
    assert_eq!(codes("{{ data.msisdn }}", "{{ customer }}"), ["unknown_variable"]);
    assert_eq!(codes("parameters.entity", "parameters.entitie"), ["unknown_variable"]);
    // There is no answer yet when the request is made.
    assert_eq!(codes("{{ data.msisdn }}", "{{ body.id }}"), ["unknown_variable"]);
    assert_eq!(codes("{{ data.msisdn }}", "{{ data.msisdn | plus }}"), ["unknown_filter"]);
    assert_eq!(codes("{{ data.msisdn }}", "{{ 1 if data.msisdn is nice else 2 }}"), ["unknown_test"]);
    assert_eq!(codes("{{ data.msisdn }}", "{{ data.msisdn | upper | default('is nice | plus') }}"), [""; 0]);
}

#[test]
fn rows_that_no_answer_reaches_are_faults() {
    let earlier = "{ status = \"2xx\", class = \"done\" },";
    let after = |row: &str| spoiled(earlier, &format!("{earlier}\n  {row},"));
    let unreachable = vec![(15, "operations.add_number.request.responses[1]".to_owned(), "unreachable_row")];
    assert_eq!(after(r#"{ status = 204, class = "already_done" }"#), unreachable);
    assert_eq!(
        after(r#"{ status = 200, body = { pointer = "/a", equals = 1 }, class = "already_done" }"#),
        unreachable
    );
    assert_eq!(after(r#"{ status = ["200-250", "251-299"], class = "already_done" }"#), unreachable);
    // A default row matches everything that follows.
    assert_eq!(codes(earlier, "{ class = \"transient\" },"), ["unreachable_row"; 3]);
    // Two rows together match everything that a third matches.
    let two = "{ status = \"200-249\", class = \"done\" }, { status = \"250-299\", class = \"done\" },";
    let third = "{ status = \"2xx\", class = \"done\" },";
    assert_eq!(codes(earlier, &format!("{two} {third}")), ["unreachable_row"]);
    // A looser row before a stricter one.
    let loose = r#"{ status = 409, body = { pointer = "/code", present = true }, class = "transient" },"#;
    assert_eq!(codes(earlier, &format!("{earlier} {loose}")), ["unreachable_row"]);
}

#[test]
fn rows_that_can_never_hold_are_faults() {
    let earlier = "{ status = \"2xx\", class = \"done\" },";
    let row = |conditions: &str| codes(earlier, &format!("{earlier} {{ {conditions}, class = \"transient\" }},"));
    let two = |one: &str, other: &str| {
        row(&format!("status = 500, body = [{{ pointer = \"/a\", {one} }}, {{ pointer = \"/a\", {other} }}]"))
    };
    assert_eq!(two("equals = 1", "equals = 2"), ["impossible_row"]);
    assert_eq!(two("equals = \"B\"", "matches = \"^A\""), ["impossible_row"]);
    assert_eq!(two("present = false", "equals = 2"), ["impossible_row"]);
    assert_eq!(two("equals = 2", "equals = 2"), ["duplicate_condition"]);
    assert_eq!(two("equals = \"A\"", "matches = \"^A\""), [""; 0]);
    assert_eq!(row("status = 304, body = { pointer = \"/a\", equals = 1 }"), ["impossible_row"]);
    assert_eq!(row("status = [500, \"5xx\", 501]"), ["duplicate_status"]);
    assert_eq!(row("status = \"503-500\""), ["bad_status"]);
    assert_eq!(row("status = 600"), ["bad_status"]);
}

#[test]
fn a_table_needs_a_row_for_every_answer() {
    assert_eq!(codes("  { class = \"ambiguous\" },\n", ""), ["no_default_row"]);
    let shared = "[[responses]]\nclass = \"ambiguous\"\n[auth]";
    let text = SOUND.replacen("  { class = \"ambiguous\" },\n", "", 1).replacen("[auth]", shared, 1);
    assert_eq!(check(&text), []);
}

#[test]
fn patterns_and_pointers_are_checked() {
    assert_eq!(codes("equals = \"in_use\"", "matches = \"in_(use\""), ["bad_regex"]);
    assert_eq!(codes("pointer = \"/code\"", "pointer = \"code\""), ["bad_pointer"]);
    assert_eq!(codes("equals = \"in_use\"", "equals = \"in_use\", present = true"), ["one_test"]);
    let header = "header = { name = \"X Y\", present = true }";
    assert_eq!(codes("body = { pointer = \"/code\", equals = \"in_use\" }", header), ["bad_header_name"]);
}

#[test]
fn classes_and_what_belongs_to_them_are_checked() {
    assert_eq!(codes("class = \"done\"", "class = \"found\""), ["unknown_value"]);
    assert_eq!(codes("class = \"applied\"", "class = \"done\""), ["unknown_value"]);
    assert_eq!(codes("class = \"done\"", "class = \"done\", code = \"x\""), ["not_together"]);
    assert_eq!(codes(", code = \"{{ body.code }}\"", ""), ["missing_key"]);
    assert_eq!(codes("class = \"done\"", "class = \"done\", holder = \"x\""), ["not_together"]);
    assert_eq!(codes("class = \"done\"", "class = \"done\", retry_after = { fixed = \"5s\" }"), ["not_together"]);
    let retry = |source: &str| codes("class = \"done\"", &format!("class = \"throttled\", retry_after = {source}"));
    assert_eq!(retry("{ header = \"Retry-After\" }"), [""; 0]);
    assert_eq!(retry("{ fixed = \"soon\" }"), ["bad_duration"]);
    assert_eq!(retry("{ header = \"Retry-After\", fixed = \"5s\" }"), ["one_source"]);
}

#[test]
fn a_claimed_capability_must_be_described() {
    assert_eq!(codes("verify = true", "verify = false"), ["verify_unused"]);
    let verify = &SOUND[SOUND.find("[operations.add_number.verify]").unwrap()..];
    assert_eq!(codes(verify, ""), ["verify_missing"]);
    assert_eq!(codes("verify = true", "verify = true\non_ambiguous = \"verify\""), [""; 0]);
    assert!(codes("verify = true", "verify = false\non_ambiguous = \"verify\"").contains(&"not_together"));
    assert_eq!(codes("verify = true", "verify = true\nfence = \"sometimes\""), ["unknown_value"]);
    assert!(codes("[operations.add_number.request]", "[operations.add_number.requests]").contains(&"missing_request"));
}

#[test]
fn a_secret_in_a_file_is_a_fault() {
    assert_eq!(codes("{ env = \"CRM_TOKEN\" }", "\"open sesame\""), ["inline_secret"]);
    assert_eq!(codes("{ env = \"CRM_TOKEN\" }", "{ env = \"A\", file = \"b\" }"), ["bad_secret"]);
    let header = |header: &str| codes("body = {", &format!("headers = {{ {header} }}\nbody = {{"));
    assert_eq!(header("X-Api-Key = \"open sesame\""), ["inline_secret"]);
    assert_eq!(header("Authorization = \"Basic b3Blbg==\""), ["inline_secret"]);
    assert_eq!(header("Authorization = \"{{ data.key }}\""), ["inline_secret"]);
    assert_eq!(header("Accept = \"application/json\""), [""; 0]);
    assert_eq!(codes("body = { phone", "body = { login = { password = \"x\" }, phone"), ["inline_secret"]);
    assert_eq!(codes("entity = \"Contact\"", "entity = \"Contact\"\nclient_secret = \"x\""), ["inline_secret"]);
    let message = &check(&SOUND.replacen("{ env = \"CRM_TOKEN\" }", "\"open sesame\"", 1))[0].message;
    assert!(!message.contains("sesame"), "{message}");
}

#[test]
fn a_read_request_must_not_change_anything() {
    assert_eq!(codes("method = \"GET\"", "method = \"PUT\""), ["question_that_writes"]);
    assert_eq!(codes("method = \"GET\"", "method = \"GET\"\nbody = { a = 1 }"), ["not_together"]);
}

#[test]
fn a_path_must_have_no_query_and_no_parent_segments() {
    assert_eq!(codes("path = \"api/{{ data.customer_id }}\"", "path = \"api?id=1\""), ["query_in_path"]);
    assert_eq!(codes("path = \"api/{{ data.customer_id }}\"", "path = \"api/../x\""), ["bad_path"]);
}

#[test]
fn a_look_up_has_two_branches_and_its_result_is_known_in_one() {
    let lookup = r#"describes = "x"
[[responses]]
class = "ambiguous"
[operations.close.lookup]
method = "GET"
path = "a"
bind = { id = "/id" }
responses = [{ status = 200, class = "found" }, { status = 404, class = "absent" }]
[operations.close.if_found]
method = "DELETE"
path = "a/{{ found.id }}"
responses = [{ status = 204, class = "done" }]
[operations.close.if_absent]
class = "already_done"
"#;
    let codes = |text: &str| check(text).into_iter().map(|fault| fault.code.as_str()).collect::<Vec<_>>();
    assert_eq!(codes(lookup), [""; 0]);
    assert_eq!(codes(&lookup.replace("found.id", "found.ids")), ["unknown_variable"]);
    assert_eq!(codes(&lookup.replace("if_absent", "if_missing")), ["missing_key", "unknown_key"]);
    assert_eq!(codes(&lookup.replace("close.lookup", "close.request")).first(), Some(&"missing_lookup"));
    assert_eq!(codes(&lookup.replace("\"already_done\"", "\"found\"")), ["unknown_value"]);
}

#[test]
fn a_request_that_several_use_is_there_and_used() {
    let text = r#"describes = "x"
[requests.customer]
method = "GET"
path = "a/{{ data.customer_id }}"
[[responses]]
class = "ambiguous"
[operations.close]
capabilities = { verify = true }
[operations.close.request]
method = "DELETE"
path = "a"
responses = []
[operations.close.verify]
use = "customer"
responses = [{ status = 404, class = "applied" }]
"#;
    let codes = |text: &str| check(text).into_iter().map(|fault| (fault.line, fault.code.as_str())).collect::<Vec<_>>();
    assert_eq!(codes(text), []);
    assert_eq!(
        codes(&text.replace("use = \"customer\"", "use = \"customers\"")),
        [(2, "unused_request"), (14, "unknown_request")]
    );
    assert_eq!(codes(&text.replace("use = \"customer\"", "use = \"customer\"\npath = \"b\"")), [(15, "unknown_key")]);
    assert_eq!(codes(&text.replace("data.customer_id", "date.customer_id")), [(4, "unknown_variable")]);
}
