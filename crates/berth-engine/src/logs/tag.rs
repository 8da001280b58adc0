//! What a log says of its container: the tag, labels and variables.

use std::collections::BTreeMap;

use berth_template::{Template, Value};

use super::driver::{Extras, Settings};
use crate::view::Effective;

/// What the tag's template sees of a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) image: &'a str,
    pub(crate) image_id: &'a str,
    pub(crate) effective: &'a Effective,
    /// The host's name.
    pub(crate) hostname: &'a str,
    pub(crate) options: &'a BTreeMap<String, String>,
}

/// A tag as the user wrote it: a template that was found good.
#[derive(Debug, Clone)]
pub(crate) struct Tag(String);

/// Go's name for the template stands in its errors.
fn named(error: impl std::fmt::Display) -> String {
    error.to_string().replacen("template: :", "template: log-tag:", 1).replacen(
        "executing \"\"",
        "executing \"log-tag\"",
        1,
    )
}

impl Tag {
    /// The error is Go's sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tag = Self(text.to_owned());
        // Which names there are does not depend on the container.
        let (effective, options) = (Effective::default(), BTreeMap::new());
        let subject = Subject {
            id: "",
            name: "",
            image: "",
            image_id: "",
            effective: &effective,
            hostname: "",
            options: &options,
        };
        tag.render(&subject)?;
        Ok(tag)
    }

    fn render(&self, subject: &Subject<'_>) -> Result<String, String> {
        let template = Template::parse(&self.0).map_err(named)?;
        template.render(&value(subject)).map_err(named)
    }
}

fn value(subject: &Subject<'_>) -> Value {
    let Subject { id, name, image, image_id, effective, hostname, options } = *subject;
    let short = |id: &str| id.chars().take(12).collect::<String>();
    let argv = effective.argv();
    let (program, arguments) = argv.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let list = |items: &[String]| Value::list(items.iter().map(Value::text));
    let map = |map: &BTreeMap<String, String>| {
        Value::map(map.iter().map(|(name, value)| (name.clone(), Value::text(value))).collect())
    };
    let members = [
        ("ID", Value::text(short(id))),
        ("FullID", Value::text(id)),
        ("Name", Value::text(name)),
        ("ImageID", Value::text(short(image_id))),
        ("ImageFullID", Value::text(image_id)),
        ("ImageName", Value::text(image)),
        ("Hostname", Value::text(hostname)),
        ("Command", Value::text(argv.join(" "))),
        ("DaemonName", Value::text("docker")),
        ("Config", map(options)),
        ("ContainerID", Value::text(id)),
        ("ContainerName", Value::text(format!("/{name}"))),
        ("ContainerEntrypoint", Value::text(program)),
        ("ContainerArgs", list(arguments)),
        ("ContainerImageID", Value::text(image_id)),
        ("ContainerImageName", Value::text(image)),
        ("ContainerEnv", list(&effective.env)),
        ("ContainerLabels", map(&effective.labels)),
    ];
    Value::record("*logger.Info", members.map(|(name, value)| (name.to_owned(), value)).into())
}

impl Settings {
    /// The tag; without the option, `otherwise`.
    pub(super) fn tag_of(&self, subject: &Subject<'_>, otherwise: &str) -> Result<String, String> {
        self.tag.as_ref().map_or_else(|| Ok(otherwise.to_owned()), |tag| tag.render(subject))
    }

    /// The labels and variables asked for, by `spell`ed names.
    pub(super) fn extras(&self, of: &Effective, spell: impl Fn(&str) -> String) -> BTreeMap<String, String> {
        let variables = of.env.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let labels = of.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let labels = labels.filter(|(name, _)| self.labels.take(name));
        let all = labels.chain(variables.filter(|(name, _)| self.env.take(name)));
        all.map(|(name, value)| (spell(name), value.to_owned())).collect()
    }
}

impl Extras {
    fn take(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted == name) || self.pattern.as_ref().is_some_and(|p| p.is_match(name))
    }
}

/// A name as journald takes it: capitals, digits and underscores, the first of them no underscore.
pub(super) fn journal_name(name: &str) -> String {
    let spelled = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    spelled.collect::<String>().trim_start_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn tags_are_templates_over_the_container() {
        let effective = Effective { cmd: Some(vec!["sh".into(), "-c".into()]), ..Effective::default() };
        let options = BTreeMap::from([("tag".to_owned(), "x".to_owned())]);
        let (id, image_id) = ("0123456789abcdef", "sha256:0123456789");
        let subject = Subject {
            id,
            name: "web",
            image: "bb:1",
            image_id,
            effective: &effective,
            hostname: "h",
            options: &options,
        };
        let render = |text: &str| Tag::parse(text).unwrap().render(&subject).unwrap();
        assert_eq!(render("{{.ImageName}}/{{.Name}}/{{.ID}}"), "bb:1/web/0123456789ab");
        assert_eq!(render("{{.Command}} {{.FullID}} {{.DaemonName}}"), "sh -c 0123456789abcdef docker");
        assert_eq!(
            Tag::parse("{{.Nope}}").unwrap_err(),
            "template: log-tag:1:2: executing \"log-tag\" at <.Nope>: can't evaluate field Nope in type *logger.Info"
        );
    }

    #[test]
    fn names_for_journald() {
        assert_eq!(journal_name("_com.example-x1"), "COM_EXAMPLE_X1");
    }
}
