//! Landlock: a second wall behind the filter, where the host has it.

use super::profile::Profile;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};

/// The newest set of rights that was looked at. Of it, the host takes what it knows.
const KNOWN: ABI = ABI::V7;

/// How much of it the host has taken.
pub(super) struct Landlocked(RulesetStatus);

impl Landlocked {
    pub(super) fn describe(&self) -> &'static str {
        match self.0 {
            RulesetStatus::FullyEnforced => "by seccomp and Landlock",
            RulesetStatus::PartiallyEnforced => "by seccomp and an old Landlock",
            RulesetStatus::NotEnforced => "by seccomp alone, as this host has no Landlock",
        }
    }
}

/// Gives up all files, signals to others and abstract Unix sockets, and without the host's
/// sockets TCP too.
pub(super) fn restrict(profile: Profile) -> Result<Landlocked, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?;
    if !profile.sockets {
        rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
    }
    Ok(Landlocked(rules.create()?.restrict_self()?.ruleset))
}
