//! Values of what the hub tells of itself: a collector, its headers, a share.

use enact_sink::Invalid;
use enact_sink::otlp::OtlpSetup;
use enact_sink::secret::Secret;
use serde_json::Value;

use super::quantity::{Readable, Unreadable};

/// The address of a collector, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector(pub Option<String>);
/// Headers by where their values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, Secret)>);
/// A name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(pub String);
/// A share of one, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u32);

fn unreadable(invalid: Invalid) -> Unreadable {
    Unreadable { reason: invalid.reason, hint: Some(invalid.hint) }
}

impl Readable for Collector {
    const TYPE: &'static str = "address or nothing";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "" => Ok(Self(None)),
            text => OtlpSetup::endpoint(text).map(|_| Self(Some(text.to_owned()))).map_err(unreadable),
        }
    }
    fn to_value(&self) -> Value {
        self.0.as_deref().unwrap_or_default().into()
    }
}

impl Readable for Headers {
    const TYPE: &'static str = "list of headers";
    const LIST: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(OtlpSetup::header).collect::<Result<_, _>>().map(Self).map_err(unreadable)
    }
    fn to_value(&self) -> Value {
        self.0.iter().map(|(name, secret)| format!("{name}={secret}")).collect()
    }
}

impl Readable for Label {
    const TYPE: &'static str = "text";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "" => Err(Unreadable::new("is empty", "write a name, such as enact")),
            text => Ok(Self(text.to_owned())),
        }
    }
    fn to_value(&self) -> Value {
        self.0.as_str().into()
    }
}

impl Readable for Share {
    const TYPE: &'static str = "number from 0 to 1";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim().parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self((share * 1e6).round() as u32)),
            _ => Err(Unreadable::new("is no share", "write a number from 0 to 1, such as 0.1")),
        }
    }
    fn to_value(&self) -> Value {
        self.share().into()
    }
}

impl Share {
    /// Returns it as a number from 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_of_them_is_refused() {
        assert!(Collector::read("").unwrap().0.is_none() && Collector::read("http://127.0.0.1:4318").is_ok());
        assert!(Collector::read("collector:4318").is_err());
        assert_eq!(Headers::read("a=env:A, b=file:/b").unwrap().0.len(), 2);
        assert!(Headers::read("a=secret").is_err());
        assert!(Label::read(" ").is_err());
        assert_eq!(Share::read("0.25").unwrap().share(), 0.25);
        assert!(["-0.1", "1.1", "NaN", "x", ""].iter().all(|text| Share::read(text).is_err()));
    }
}
