use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;
use log::{Level, LevelFilter};

/// The crates of Fata can be named without this.
const PREFIX: &[u8] = b"fata_";
const DEFAULT: &str = "info";

// Text is handled as bytes: what searches in a `str` costs every image a kilobyte.

/// Which log messages appear: a level for all targets, and levels for some of them.
///
/// As text it is a list of `target:level`, or `level` for all others, separated by
/// commas: `info,net:debug`. Levels are `off`, `error`, `warn`, `info`, `debug` and
/// `trace`; `*:info` is the same as `info`. A target is a crate or a module, such as
/// `net` or `fata_net` or `fata_net::host`, and takes its submodules along; the longest
/// one that fits counts, and the last of those that are equal. The default is `info`.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter {
    /// A valid filter, which is read anew for each message: that is rare enough, and takes
    /// the least code.
    text: Box<str>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            text: DEFAULT.into(),
        }
    }
}

impl Filter {
    fn rules(&self) -> impl Iterator<Item = Rule<'_>> {
        items(self.text.as_bytes()).filter_map(|item| Rule::parse(item).ok())
    }

    /// Returns whether a message of `target` at `level` appears.
    pub fn allows(&self, target: &str, level: Level) -> bool {
        let fitting = self.rules().filter(|rule| rule.fits(target.as_bytes()));
        let longest = fitting.max_by_key(|rule| rule.target.len());
        level <= longest.map_or(LevelFilter::Info, |rule| rule.level)
    }

    /// No message above this level appears, for any target.
    pub fn max_level(&self) -> LevelFilter {
        let (mut has_others, mut most) = (false, LevelFilter::Off);
        for rule in self.rules() {
            has_others |= rule.target.is_empty();
            most = most.max(rule.level);
        }
        if has_others {
            most
        } else {
            most.max(LevelFilter::Info)
        }
    }
}

fn items(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',')
}

/// The level of a target; an empty name is all others.
struct Rule<'a> {
    target: &'a [u8],
    level: LevelFilter,
}

impl<'a> Rule<'a> {
    fn parse(item: &'a [u8]) -> Result<Self, FilterError> {
        let colon = item.iter().rposition(|byte| *byte == b':');
        let (target, level) = match colon {
            Some(colon) => (&item[..colon], &item[colon + 1..]),
            None => (&b"*"[..], item),
        };
        let target = short(target.trim_ascii());
        Ok(Self {
            target: if target == b"*" { b"" } else { target },
            level: level_of(level.trim_ascii()).ok_or(FilterError::Level)?,
        })
    }

    fn fits(&self, target: &[u8]) -> bool {
        let rest = short(target).strip_prefix(self.target);
        rest.is_some_and(|rest| {
            self.target.is_empty() || rest.is_empty() || rest.starts_with(b"::")
        })
    }
}

/// A target's name without the prefix that the crates of Fata have.
fn short(target: &[u8]) -> &[u8] {
    target.strip_prefix(PREFIX).unwrap_or(target)
}

fn level_of(name: &[u8]) -> Option<LevelFilter> {
    let names: [&[u8]; 6] = [b"off", b"error", b"warn", b"info", b"debug", b"trace"];
    let mut levels = names.into_iter().zip(LevelFilter::iter());
    levels.find_map(|(level, filter)| (level == name).then_some(filter))
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        for item in items(text.as_bytes()) {
            Rule::parse(item)?;
        }
        Ok(Self { text: text.into() })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// A level is not one of those that exist.
    Level,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => {
                "the levels are off, error, warn, info, debug and trace, as in info,net:debug"
            }
        })
    }
}

impl core::error::Error for FilterError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn the_longest_target_counts() {
        let filter: Filter = "*:warn, net:debug,fata_net::host:off,app:trace"
            .parse()
            .unwrap();
        for (target, level, allowed) in [
            ("other", Level::Warn, true),
            ("other", Level::Info, false),
            ("fata_net", Level::Debug, true),
            ("fata_net::resolver", Level::Debug, true),
            ("fata_net::resolver", Level::Trace, false),
            ("fata_net::host::stream", Level::Error, false),
            ("network", Level::Info, false),
            ("app::page", Level::Trace, true),
        ] {
            assert_eq!(filter.allows(target, level), allowed, "{target} {level}");
        }
        assert_eq!(filter.max_level(), LevelFilter::Trace);
        assert_eq!(filter.to_string().parse(), Ok(filter));
    }

    #[test]
    fn a_later_rule_replaces_an_earlier_one() {
        let filter: Filter = "debug,net:info,off,net:error".parse().unwrap();
        assert!(filter.allows("net", Level::Error));
        assert!(!filter.allows("net", Level::Info));
        assert!(!filter.allows("other", Level::Error));
    }

    #[test]
    fn mistakes_are_told() {
        for text in ["", "loud", "net:", "net::host"] {
            assert_eq!(text.parse::<Filter>(), Err(FilterError::Level), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_an_error(text in "([a-z*]{0,3}[:,]{0,2}(info|off)?){0,20}|.*") {
            if let Ok(filter) = text.parse::<Filter>() {
                prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
            }
        }
    }
}
