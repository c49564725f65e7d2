//! The numbered taxonomy: what was seen (category, symptom, cause) and what it means (interpretation, disposition, responsibility).

use serde::{Deserialize, Serialize};

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($number:literal $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs)]
        pub enum $name { $($variant = $number),+ }

        impl $name {
            /// Every value, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Returns the number; it is stable and stands in the detail code.
            pub const fn number(self) -> u8 {
                self as u8
            }
            /// Returns the value with this number.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.number() == number)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.serialize(f)
            }
        }
    };
}

numbered!(
    /// What kind of thing is wrong.
    Category {
        1 Argument, 2 Property, 3 Value, 4 Record, 5 Entity, 6 Resource, 7 Reference, 8 State, 9 Security, 10 Operation,
        11 Service, 12 ServiceProvider, 13 Component, 14 Subsystem, 15 System, 16 Configuration, 17 Datastore, 18 Network,
        99 OutOfControl,
    }
);
numbered!(
    /// How it shows.
    Symptom {
        1 SyntaxError, 2 FormatError, 3 Missing, 4 Redundant, 5 Unexpected, 6 Unsupported, 7 DomainValue, 8 Invalid,
        9 Illegal, 10 NotFound, 11 Unavailable, 12 Conflict, 13 InvalidReference, 14 Duplicate, 15 AuthenticationRequired,
        16 PermissionDenied, 17 Corrupted, 90 NullPointer, 91 UnreachableReached, 92 UninitializedState,
        93 InvariantViolation, 94 PreconditionViolation, 95 PostconditionViolation, 96 NotImplemented, 97 ImpossibleState,
    }
);
numbered!(
    /// What brought it about.
    Cause {
        1 Format, 2 Limit, 3 Policy, 4 Capability, 5 Permission, 6 Guard, 7 Relation, 8 Conflict, 9 Inconsistency,
        10 Exhaustion, 11 Timeout, 12 Corruption, 99 Unknown,
    }
);
numbered!(
    /// What an observation amounts to.
    Interpretation {
        1 Success, 2 DomainFailure, 3 Defect, 4 ConfigurationFailure, 5 SystemFailure, 6 NetworkFailure,
        7 ExternalServiceFailure,
    }
);
numbered!(
    /// What to do about it.
    Disposition { 1 FixInput, 2 RetryNow, 3 RetryLater, 4 Escalation }
);
numbered!(
    /// Who has to do it.
    Responsibility { 1 User, 2 ApplicationAdmin, 3 SystemAdmin, 4 Developer }
);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Error,
    Fatal,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what stands at each number, as it was published: a number or a name that changes breaks whoever reads codes.
    macro_rules! table {
        ($name:ident) => {
            $name::ALL.iter().map(|value| format!("{} {value}", value.number())).collect::<Vec<_>>()
        };
    }

    #[test]
    fn numbers_are_those_of_the_published_table() {
        let category = [
            "1 argument",
            "2 property",
            "3 value",
            "4 record",
            "5 entity",
            "6 resource",
            "7 reference",
            "8 state",
            "9 security",
            "10 operation",
            "11 service",
            "12 service-provider",
            "13 component",
            "14 subsystem",
            "15 system",
            "16 configuration",
            "17 datastore",
            "18 network",
            "99 out-of-control",
        ];
        let symptom = [
            "1 syntax-error",
            "2 format-error",
            "3 missing",
            "4 redundant",
            "5 unexpected",
            "6 unsupported",
            "7 domain-value",
            "8 invalid",
            "9 illegal",
            "10 not-found",
            "11 unavailable",
            "12 conflict",
            "13 invalid-reference",
            "14 duplicate",
            "15 authentication-required",
            "16 permission-denied",
            "17 corrupted",
            "90 null-pointer",
            "91 unreachable-reached",
            "92 uninitialized-state",
            "93 invariant-violation",
            "94 precondition-violation",
            "95 postcondition-violation",
            "96 not-implemented",
            "97 impossible-state",
        ];
        let cause = [
            "1 format",
            "2 limit",
            "3 policy",
            "4 capability",
            "5 permission",
            "6 guard",
            "7 relation",
            "8 conflict",
            "9 inconsistency",
            "10 exhaustion",
            "11 timeout",
            "12 corruption",
            "99 unknown",
        ];
        let interpretation = [
            "1 success",
            "2 domain-failure",
            "3 defect",
            "4 configuration-failure",
            "5 system-failure",
            "6 network-failure",
            "7 external-service-failure",
        ];
        let disposition = ["1 fix-input", "2 retry-now", "3 retry-later", "4 escalation"];
        let responsibility = ["1 user", "2 application-admin", "3 system-admin", "4 developer"];
        assert_eq!(table!(Category), category);
        assert_eq!(table!(Symptom), symptom);
        assert_eq!(table!(Cause), cause);
        assert_eq!(table!(Interpretation), interpretation);
        assert_eq!(table!(Disposition), disposition);
        assert_eq!(table!(Responsibility), responsibility);
    }

    #[test]
    fn a_number_is_that_of_one_value_or_of_none() {
        assert_eq!(Category::from_number(18), Some(Category::Network));
        assert_eq!(Symptom::from_number(95), Some(Symptom::PostconditionViolation));
        assert_eq!(Cause::from_number(99), Some(Cause::Unknown));
        assert_eq!(Disposition::from_number(5), None);
    }
}
