//! The cargo profile of images, as Fata's own workspace defines it.

use toml::{Table, Value};

/// Name of the profile.
pub const NAME: &str = "kernel";

/// The manifest of the workspace that this tool is part of.
const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// The profile as arguments for `cargo --config`, without what concerns packages other than
/// `packages`, of which cargo would complain.
pub fn settings(packages: &[String]) -> Vec<String> {
    settings_of(definition(), packages)
}

fn settings_of(definition: Table, packages: &[String]) -> Vec<String> {
    let mut settings = Vec::new();
    for (key, value) in definition {
        match value {
            Value::Table(overrides) if key == "package" => {
                let known = overrides
                    .into_iter()
                    .filter(|(name, _)| packages.contains(name));
                for (name, value) in known {
                    flatten(
                        &format!("profile.{NAME}.package.{name}"),
                        &value,
                        &mut settings,
                    );
                }
            }
            _ => flatten(&format!("profile.{NAME}.{key}"), &value, &mut settings),
        }
    }
    settings
}

/// Returns whether a manifest defines the profile.
pub fn is_defined_in(manifest: &Table) -> bool {
    manifest
        .get("profile")
        .is_some_and(|profiles| profiles.get(NAME).is_some())
}

fn definition() -> Table {
    let manifest: Table = WORKSPACE.parse().expect("cargo has read this manifest");
    match &manifest["profile"][NAME] {
        Value::Table(definition) => definition.clone(),
        _ => unreachable!("cargo accepts only tables as profiles"),
    }
}

fn flatten(key: &str, value: &Value, settings: &mut Vec<String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                flatten(&format!("{key}.{name}"), value, settings);
            }
        }
        _ => settings.push(format!("{key}={value}")),
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::{is_defined_in, settings, settings_of};

    #[test]
    fn images_cannot_unwind_and_keep_their_symbols() {
        let settings = settings(&[]);
        for setting in [
            "profile.kernel.panic=\"abort\"",
            "profile.kernel.strip=\"none\"",
        ] {
            assert!(
                settings.iter().any(|known| known == setting),
                "{settings:?}"
            );
        }
    }

    #[test]
    fn packages_that_are_not_there_are_left_out() {
        let definition = "lto = \"fat\"\npackage.a.opt-level = 3\npackage.b.opt-level = 2\n";
        let settings = settings_of(
            definition.parse().unwrap(),
            &["b".to_owned(), "c".to_owned()],
        );
        let expected = [
            "profile.kernel.lto=\"fat\"",
            "profile.kernel.package.b.opt-level=2",
        ];
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_manifest_may_define_the_profile() {
        let is_defined = |manifest: &str| is_defined_in(&manifest.parse::<Table>().unwrap());
        assert!(is_defined("[profile.kernel]\ninherits = \"release\"\n"));
        assert!(!is_defined("[profile.release]\nlto = true\n"));
    }
}
