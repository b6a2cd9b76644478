use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A ceiling may be above its figure by so many percent before it should be lowered.
const ROOM: u64 = 5;

/// Numbers that do not depend on the machine, by their names, such as `image.hello`.
#[derive(Default)]
pub struct Figures(BTreeMap<String, u64>);

impl Figures {
    /// Adds a figure, and prints it.
    ///
    /// # Panics
    /// If there is one of that name.
    pub fn add(&mut self, name: impl Into<String>, figure: u64) {
        let name = name.into();
        println!("{name:44} {figure:>10}");
        let earlier = self.0.insert(name, figure);
        assert!(earlier.is_none(), "two figures have the last name");
    }
}

/// A ceiling for each figure, as a TOML file states them: tables of numbers, or of further tables.
#[derive(Debug)]
pub struct Limits(BTreeMap<String, u64>);

/// How a figure and its ceiling do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The figure is above its ceiling.
    Above {
        /// The name of both.
        name: String,
        /// The number that was measured.
        figure: u64,
        /// The most that it should be.
        ceiling: u64,
    },
    /// The ceiling could be lower: it is more than 5 % above the figure.
    Room {
        /// The name of both.
        name: String,
        /// The number that was measured.
        figure: u64,
        /// The most that it should be.
        ceiling: u64,
    },
    /// A figure of this name has no ceiling.
    NoCeiling(String, u64),
    /// A ceiling of this name has no figure.
    NoFigure(String),
}

/// A file of ceilings has something else in it.
#[derive(Debug)]
pub enum LimitsError {
    /// It is not TOML.
    Syntax(toml::de::Error),
    /// The value of this name is neither a number from zero up nor a table of these.
    Value(String),
}

impl FromStr for Limits {
    type Err = LimitsError;

    fn from_str(text: &str) -> Result<Self, LimitsError> {
        let table: toml::Table = text.parse().map_err(LimitsError::Syntax)?;
        let mut ceilings = BTreeMap::new();
        flatten("", &table, &mut ceilings)?;
        Ok(Self(ceilings))
    }
}

/// Adds the numbers of a table, dots between its name and theirs.
fn flatten(
    prefix: &str,
    table: &toml::Table,
    ceilings: &mut BTreeMap<String, u64>,
) -> Result<(), LimitsError> {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        if let toml::Value::Table(inner) = value {
            flatten(&format!("{name}."), inner, ceilings)?;
            continue;
        }
        let number = value.as_integer().and_then(|number| number.try_into().ok());
        let Some(number) = number else {
            return Err(LimitsError::Value(name));
        };
        ceilings.insert(name, number);
    }
    Ok(())
}

impl Limits {
    /// Where figures and ceilings do not fit, in the order of their names.
    pub fn compare(&self, figures: &Figures) -> Vec<Mismatch> {
        let measured = figures.0.iter();
        let measured = measured.filter_map(|(name, figure)| self.judge(name, *figure));
        let unknown = self.0.keys().filter(|name| !figures.0.contains_key(*name));
        let unknown = unknown.map(|name| Mismatch::NoFigure(name.clone()));
        measured.chain(unknown).collect()
    }

    fn judge(&self, name: &str, figure: u64) -> Option<Mismatch> {
        let name = name.to_owned();
        let Some(&ceiling) = self.0.get(&name) else {
            return Some(Mismatch::NoCeiling(name, figure));
        };
        if figure > ceiling {
            Some(Mismatch::Above {
                name,
                figure,
                ceiling,
            })
        } else if (ceiling - figure) * 100 > figure * ROOM {
            Some(Mismatch::Room {
                name,
                figure,
                ceiling,
            })
        } else {
            None
        }
    }
}

impl Mismatch {
    /// True unless there is only room below the ceiling.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Room { .. })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: u64, whole: &u64| part as f64 * 100.0 / *whole as f64;
        match self {
            Self::Above {
                name,
                figure,
                ceiling,
            } => {
                let above = figure - ceiling;
                let percent = percent(above, ceiling);
                write!(
                    formatter,
                    "{name}: {figure}, {above} ({percent:.1} %) above its ceiling of {ceiling}"
                )
            }
            Self::Room {
                name,
                figure,
                ceiling,
            } => {
                let percent = percent(ceiling - figure, figure);
                write!(
                    formatter,
                    "{name}: {figure}, its ceiling of {ceiling} has {percent:.1} % of room; lower it"
                )
            }
            Self::NoCeiling(name, figure) => {
                write!(formatter, "{name}: {figure}, without a ceiling; add one")
            }
            Self::NoFigure(name) => {
                write!(formatter, "{name}: a ceiling without a figure; remove it")
            }
        }
    }
}

impl fmt::Display for LimitsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => error.fmt(formatter),
            Self::Value(name) => {
                write!(
                    formatter,
                    "{name} is neither a number from zero up nor a table"
                )
            }
        }
    }
}

impl std::error::Error for LimitsError {}

#[cfg(test)]
mod tests {
    use super::{Figures, Limits, LimitsError, Mismatch};

    fn mismatches(limits: &str, figures: &[(&str, u64)]) -> Vec<Mismatch> {
        let mut measured = Figures::default();
        for (name, figure) in figures {
            measured.add(*name, *figure);
        }
        let limits: Limits = limits.parse().expect("the test's ceilings are some");
        limits.compare(&measured)
    }

    #[track_caller]
    fn assert_one(limits: &str, figures: &[(&str, u64)], is_failure: bool, text: &str) {
        let found = mismatches(limits, figures);
        let [only] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (only.is_failure(), only.to_string().as_str()),
            (is_failure, text)
        );
    }

    #[test]
    fn a_figure_up_to_its_ceiling_is_fine() {
        let limits = "[image]\nhello = 100\n[network.q35]\nping = 105\n[a]\nnone = 0";
        let figures = [
            ("image.hello", 100),
            ("network.q35.ping", 100),
            ("a.none", 0),
        ];
        assert_eq!(mismatches(limits, &figures), []);
    }

    #[test]
    fn a_figure_above_its_ceiling_fails_and_says_by_how_much() {
        let text = "image.hello: 103, 3 (3.0 %) above its ceiling of 100";
        assert_one("image.hello = 100", &[("image.hello", 103)], true, text);
        let text = "a.none: 1, 1 (inf %) above its ceiling of 0";
        assert_one("a.none = 0", &[("a.none", 1)], true, text);
    }

    #[test]
    fn a_figure_without_a_ceiling_fails() {
        let text = "image.hello: 7, without a ceiling; add one";
        assert_one("image = {}", &[("image.hello", 7)], true, text);
    }

    #[test]
    fn a_ceiling_without_a_figure_fails() {
        let text = "image.hello: a ceiling without a figure; remove it";
        assert_one("[image]\nhello = 7", &[], true, text);
    }

    #[test]
    fn more_than_five_percent_of_room_is_only_told() {
        let text = "image.hello: 100, its ceiling of 106 has 6.0 % of room; lower it";
        assert_one("image.hello = 106", &[("image.hello", 100)], false, text);
    }

    #[test]
    fn what_is_no_ceiling_is_named() {
        for text in [
            "[image]\nhello = -1",
            "image.hello = \"many\"",
            "image.hello = 1.5",
        ] {
            let error = text.parse::<Limits>().expect_err("it is no ceiling");
            assert!(
                matches!(&error, LimitsError::Value(name) if name == "image.hello"),
                "{error}"
            );
        }
        let error = "image hello".parse::<Limits>().expect_err("it is not TOML");
        assert!(matches!(error, LimitsError::Syntax(_)), "{error}");
    }
}
