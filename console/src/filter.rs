use core::fmt;
use core::str::FromStr;
use log::{Level, LevelFilter};

/// How many targets can have a level of their own.
const RULES: usize = 16;
/// How long the name of such a target can be, in bytes.
const TARGET_LENGTH: usize = 48;
/// The crates of Fata can be named without this.
const PREFIX: &str = "fata_";

/// Which log messages appear: a level for all targets, and levels for some of them.
///
/// As text it is a list of `target:level`, or `level` for all others, separated by
/// commas: `info,net:debug`. Levels are `off`, `error`, `warn`, `info`, `debug` and
/// `trace`; `*:info` is the same as `info`. A target is a crate or a module, such as
/// `net` or `fata_net` or `fata_net::host`, and takes its submodules along; the longest
/// one that fits counts. The default is `info`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    others: LevelFilter,
    rules: [Option<Rule>; RULES],
}

/// The level of one target.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rule {
    name: [u8; TARGET_LENGTH],
    length: usize,
    level: LevelFilter,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            others: LevelFilter::Info,
            rules: [None; RULES],
        }
    }
}

impl Filter {
    /// Whether a message of `target` at `level` appears.
    pub fn allows(&self, target: &str, level: Level) -> bool {
        let fitting = self.rules.iter().flatten().filter(|rule| rule.fits(target));
        let longest = fitting.max_by_key(|rule| rule.length);
        level <= longest.map_or(self.others, |rule| rule.level)
    }

    /// The most verbose level that appears for any target.
    pub fn max_level(&self) -> LevelFilter {
        let levels = self.rules.iter().flatten().map(|rule| rule.level);
        levels.max().unwrap_or(self.others).max(self.others)
    }

    fn set(&mut self, target: &str, level: LevelFilter) -> Result<(), FilterError> {
        if target == "*" {
            self.others = level;
            return Ok(());
        }
        let rule = Rule::new(target, level)?;
        let free = self.rules.iter_mut().find(|slot| {
            slot.as_ref()
                .is_none_or(|other| other.target() == rule.target())
        });
        *free.ok_or(FilterError::TooMany)? = Some(rule);
        Ok(())
    }
}

impl Rule {
    fn new(target: &str, level: LevelFilter) -> Result<Self, FilterError> {
        let target = target.strip_prefix(PREFIX).unwrap_or(target);
        let mut name = [0; TARGET_LENGTH];
        let place = name.get_mut(..target.len()).ok_or(FilterError::TooLong)?;
        place.copy_from_slice(target.as_bytes());
        Ok(Self {
            name,
            length: target.len(),
            level,
        })
    }

    fn target(&self) -> &[u8] {
        &self.name[..self.length]
    }

    fn fits(&self, target: &str) -> bool {
        let target = target.strip_prefix(PREFIX).unwrap_or(target);
        let rest = target.as_bytes().strip_prefix(self.target());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"::"))
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for item in text.split(',') {
            let (target, level) = item.rsplit_once(':').unwrap_or(("*", item));
            let level = level.trim_ascii().parse().map_err(|_| FilterError::Level)?;
            filter.set(target.trim_ascii(), level)?;
        }
        Ok(filter)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.others))?;
        for rule in self.rules.iter().flatten() {
            let target = core::str::from_utf8(rule.target()).unwrap_or_default();
            write!(f, ",{target}:{}", name(rule.level))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn name(level: LevelFilter) -> &'static str {
    match level {
        LevelFilter::Off => "off",
        LevelFilter::Error => "error",
        LevelFilter::Warn => "warn",
        LevelFilter::Info => "info",
        LevelFilter::Debug => "debug",
        LevelFilter::Trace => "trace",
    }
}

/// Why a text is not a [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// A level is not one of those that exist.
    Level,
    /// A target's name is longer than 48 bytes.
    TooLong,
    /// More than 16 targets have a level of their own.
    TooMany,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => {
                "the levels are off, error, warn, info, debug and trace, as in info,net:debug"
            }
            Self::TooLong => "a target's name is longer than 48 bytes",
            Self::TooMany => "more than 16 targets have a level",
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
            ("fata_net::tcpip", Level::Debug, true),
            ("fata_net::tcpip", Level::Trace, false),
            ("fata_net::host::tcp", Level::Error, false),
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
        assert_eq!(filter.to_string(), "off,net:error");
        assert_eq!(filter.max_level(), LevelFilter::Error);
    }

    #[test]
    fn mistakes_are_told() {
        let long = std::format!("{}:info", "x".repeat(TARGET_LENGTH + 1));
        assert_eq!(long.parse::<Filter>(), Err(FilterError::TooLong));
        let many: std::vec::Vec<_> = (0..=RULES).map(|n| std::format!("t{n}:info")).collect();
        assert_eq!(many.join(",").parse::<Filter>(), Err(FilterError::TooMany));
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
