//! Templates as Docker's users write them, against what Docker prints.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::rc::Rc;

use berth_template::{Function, Shape, Template, Value};
use proptest::prelude::*;

const SHAPE: Shape =
    Shape { maps: &["Labels", "Ports"], lists: &["Binds"], optional: &[("State", &["Health"])], texts: &[] };

fn render(template: &str) -> String {
    let json = r#"{"Id":"abc","State":{"Running":true,"ExitCode":7,"Status":"running"},
        "Args":["a","b"],"Labels":{"x.y":"1","b":"<2>"},"Binds":null,"Ports":null,"Nothing":null,"Pi":3.5,
        "Nested":{"Labels":null}}"#;
    let data = Value::from_json(json, &SHAPE).unwrap();
    match Template::parse(template) {
        Ok(t) => t.render(&data).unwrap_or_else(|e| e.to_string()),
        Err(e) => e.to_string(),
    }
}

#[test]
fn values_print_as_in_go() {
    for (template, expected) in [
        ("{{.Id}}", "abc"),
        ("{{.State.Running}} {{.State.ExitCode}}", "true 7"),
        ("{{.Args}}", "[a b]"),
        ("{{.Labels}}", "map[b:<2> x.y:1]"),
        ("{{json .Labels}}", r#"{"x.y":"1","b":"<2>"}"#),
        ("{{json .State}}", r#"{"Running":true,"ExitCode":7,"Status":"running"}"#),
        ("{{.Binds}} {{.Ports}} {{.Nothing}}", "[] map[] <nil>"),
        ("{{index .Labels \"x.y\"}}|{{index .Labels \"no\"}}|", "1||"),
        ("{{.Labels.no}}", "<no value>"),
        ("{{.Nested.Labels.x}}", "<no value>"),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{range .Args}}{{println .}}{{end}}", "a\nb\n"),
        ("{{range $i, $a := .Args}}{{if $i}},{{end}}{{$a}}{{end}}", "a,b"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "b=<2>;x.y=1;"),
        ("{{join .Args \"-\"}} {{upper .Id}} {{title \"hello world\"}} {{truncate .Id 2}}", "a-b ABC Hello World ab"),
        ("{{pad .Id 1 2}}|{{(split \"a:b\" \":\")}}|{{len .Args}}", " abc  |[a b]|2"),
        ("{{printf \"%-5s|%03d|%q|%v\" .Id .State.ExitCode .Id .Args}}", "abc  |007|\"abc\"|[a b]"),
        ("{{.Id | printf \"%s!\" | upper}}", "ABC!"),
        ("{{with .State}}{{.Status}}{{end}}{{$.Id}}", "runningabc"),
        ("{{if eq .State.ExitCode 7}}seven{{end}}{{if and .Id (not .Nothing)}}!{{end}}", "seven!"),
        ("{{- .Id -}}  x", "abcx"),
        ("{{.Pi}}", "3.5"),
        ("{{\"}}\"}}{{/* }} {{end}} */}}{{`{{`}}", "}}{{"),
        ("{{if .Id}}{{if .Nothing}}{{else if .Binds}}{{else}}deep{{end}}{{end}}", "deep"),
        ("{{/* nothing */}}{{\"a\\tb\"}}", "a\tb"),
        ("{{range .Args}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "a"),
        ("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .Id}}", "<abc>"),
    ] {
        assert_eq!(render(template), expected, "{template}");
    }
}

#[test]
fn errors_are_gos() {
    for (template, expected) in [
        ("{{.Foo}}", r#"template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo""#),
        ("{{.State.Foo}}", r#"template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo""#),
        ("{{foo .Id}}", r#"template: :1: function "foo" not defined"#),
        ("{{.Id", "template: :1: unclosed action"),
        (
            "{{index .Args 9}}",
            r#"template: :1:2: executing "" at <index .Args 9>: error calling index: index out of range: 9"#,
        ),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{else}}", "template: :1: unexpected {{else}}"),
        ("a\n{{if .Id}}\n", "template: :3: unexpected EOF"),
        ("{{range .Args}}{{.}}", "template: :1: unexpected EOF"),
        ("{{if}}", "template: :1: missing value for if"),
        ("{{ }}", "template: :1: missing value for command"),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
        ("{{$x}}", "template: :1: undefined variable \"$x\""),
        ("{{\"a}}", "template: :1: unterminated quoted string"),
        ("{{nil}}", r#"template: :1:2: executing "" at <nil>: nil is not a command"#),
        ("{{.Id .Id}}", r#"template: :1:2: executing "" at <.Id>: Id is not a method but has arguments"#),
        (
            "{{.State.Health.Status}}",
            r#"template: :1:8: executing "" at <.State.Health.Status>: map has no entry for key "Health""#,
        ),
        ("{{.Id.X}}", r#"template: :1:5: executing "" at <.Id.X>: can't evaluate field X in type interface {}"#),
        ("{{json}}", r#"template: :1:2: executing "" at <json>: wrong number of args for json: want 1 got 0"#),
        (
            "{{index}}",
            r#"template: :1:2: executing "" at <index>: wrong number of args for index: want at least 1 got 0"#,
        ),
        ("{{upper 1}}", r#"template: :1:8: executing "" at <1>: expected string; found 1"#),
        ("{{truncate .Id \"x\"}}", r#"template: :1:15: executing "" at <"x">: expected integer; found "x""#),
        ("{{join \"a\" \"b\"}}", r#"template: :1:7: executing "" at <"a">: can't handle "a" for arg of type []string"#),
        ("{{eq 1}}", r#"template: :1:2: executing "" at <eq 1>: error calling eq: missing argument for comparison"#),
        ("{{.Id:}}", "template: :1: expected :="),
        ("{{.Id,}}", "template: :1: unexpected \",\" in operand"),
        ("{{.Id)}}", "template: :1: unexpected right paren"),
        ("{{(.Id}}", "template: :1: unclosed left paren"),
        ("{{| .Id}}", "template: :1: unexpected \"|\" in command"),
        ("{{template}}", "template: :1: unexpected \"}}\" in template clause"),
    ] {
        assert_eq!(render(template), expected, "{template}");
    }
}

#[test]
fn a_record_names_its_type_and_suggests() {
    let row = Value::record("*formatter.imageContext", vec![("Repository".into(), Value::text("x"))]);
    let error = Template::parse("{{.Reposity}}").unwrap().render(&row).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"template: :1:2: executing "" at <.Reposity>: can't evaluate field Reposity in type *formatter.imageContext"#
    );
    assert_eq!(error.suggestion.as_deref(), Some("Repository"));
}

#[test]
fn methods_take_arguments() {
    let label = Function(Rc::new(|args: &[Value]| Ok(Value::text(format!("<{}>", args[0])))));
    let row = Value::record("row", vec![("Label".into(), Value::Function(label))]);
    assert_eq!(Template::parse("{{.Label \"a\"}}").unwrap().render(&row).unwrap(), "<a>");
    let said = |text: &str| Template::parse(text).unwrap().render(&row).unwrap_err().to_string();
    let wrong = r#"template: :1:2: executing "" at <.Label>: wrong number of args for Label: want 1 got 0"#;
    assert_eq!(said("{{.Label}}"), wrong);
    assert_eq!(said("{{.Label 1}}"), r#"template: :1:9: executing "" at <1>: expected string; found 1"#);
    assert_eq!(Template::parse("{{upper (.Label \"a\")}}").unwrap().render(&row).unwrap(), "<A>");
}

#[test]
fn templates_and_structs_have_names() {
    let value = Value::from_json(r#"{"A":"<1>"}"#, &Shape::default()).unwrap();
    let value = value.named("demo.Type", vec![("B".into(), Value::Int(2)), ("A".into(), Value::Int(3))]);
    let render = |text: &str| Template::parse_named("demo", text).unwrap().render(&value);
    assert_eq!(render("{{.A}} {{.B}} {{json .}}").unwrap(), r#"<1> 2 {"A":"<1>"}"#);
    let expected = r#"template: demo:1:2: executing "demo" at <.C>: can't evaluate field C in type demo.Type"#;
    assert_eq!(render("{{.C}}").unwrap_err().to_string(), expected);
    let broken = Template::parse_named("demo", "{{.").unwrap_err().to_string();
    assert!(broken.starts_with("template: demo:1: "), "{broken}");
}

#[test]
fn indented_json_is_dockers() {
    let value = Value::from_json(r#"[{"a":[],"b":{},"c":[1,{"d":"e\n"}]}]"#, &Shape::default()).unwrap();
    let expected = "[\n    {\n        \"a\": [],\n        \"b\": {},\n        \"c\": [\n            1,\n            {\n                \"d\": \"e\\n\"\n            }\n        ]\n    }\n]";
    assert_eq!(berth_template::to_indented(&value, "    "), expected);
}

proptest! {
    #[test]
    fn never_panics(source in "([a-z.|$ \"()]|\\{\\{|\\}\\}|end|if|range|\\.Id|index|printf|[0-9]){0,20}") {
        let _ = render(&source);
    }
}
