//! Command lines taken apart, and the texts of what is wrong with them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;

use super::parse::parse;
use super::{Flag, FlagError, Parsed};
use crate::create::flags::RUN;

const FLAGS: &[Flag] = &[
    Flag::switch("all", "").short('a'),
    Flag::switch("quiet", "").short('q'),
    Flag::int("last", "").short('n'),
    Flag::text("name", ""),
    Flag::list("env", "").short('e'),
];

fn take(words: &str, interspersed: bool) -> Result<Parsed, FlagError> {
    let words: Vec<String> = words.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    parse(FLAGS, &words, interspersed)
}

#[test]
fn all_spellings() {
    let parsed = take("-aq -n5 --name=x -e A=b --env C=d rest --all=false", true).unwrap();
    assert!(parsed.on("quiet") && !parsed.on("all"));
    assert_eq!((parsed.int("last"), parsed.get("name")), (Some(5), Some("x")));
    assert_eq!(parsed.strings("env"), ["A=b", "C=d"]);
    assert_eq!(parsed.args, ["rest"]);
    assert_eq!(take("-n=5", true).unwrap().int("last"), Some(5));
    assert_eq!(take("-n -1", true).unwrap().int("last"), Some(-1));
    assert_eq!(take("- -- -a", true).unwrap().args, ["-", "-a"]);
}

#[test]
fn the_first_argument_ends_the_flags() {
    let parsed = take("-a image -q --name x", false).unwrap();
    assert!(parsed.on("all") && !parsed.on("quiet"));
    assert_eq!(parsed.args, ["image", "-q", "--name", "x"]);
}

#[test]
fn errors() {
    for (words, text) in [
        ("--it", "unknown flag: --it"),
        ("-xyz", "unknown shorthand flag: 'x' in -xyz"),
        ("-ax", "unknown shorthand flag: 'x' in -x"),
        ("--name", "flag needs an argument: --name"),
        ("-n", "flag needs an argument: 'n' in -n"),
        ("--=x", "bad flag syntax: --=x"),
        ("-n x", "invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"),
        (
            "--all=foo",
            "invalid argument \"foo\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax",
        ),
    ] {
        assert_eq!(take(words, true).unwrap_err().to_string(), text);
    }
}

#[test]
fn no_flag_is_there_twice() {
    for flags in [RUN, crate::create::flags::CREATE].into_iter().chain(crate::command::OTHERS.iter().map(|c| c.flags)) {
        for (i, flag) in flags.iter().enumerate() {
            let clash = flags[..i].iter().find(|f| f.long == flag.long || (f.short.is_some() && f.short == flag.short));
            assert!(clash.is_none(), "{} and {:?}", flag.long, clash.map(|f| f.long));
        }
    }
}

proptest! {
    #[test]
    fn never_panic(words in proptest::collection::vec("-{0,3}[a-z=é]{0,8}", 0..8), interspersed: bool) {
        _ = parse(RUN, &words, interspersed);
    }
}
