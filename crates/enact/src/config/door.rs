//! Values of the doors over the network: addresses, roles, names, files that may be left out.

use std::net::SocketAddr;
use std::path::PathBuf;

use enact_dial::Endpoint;
use enact_dial::http::SCHEMES;
use enact_runtime::api::Role;
use enact_server::access::OidcConfig;
use enact_sink::secret::Secret;
use serde_json::Value;

use super::quantity::{Readable, Unreadable};

/// An address to listen on, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);
/// A role, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaybeRole(pub Option<Role>);
/// A file, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybePath(pub Option<PathBuf>);
/// Where a server of HTTP is, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybeUrl(pub Option<Endpoint>);
/// Where a secret is, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybeSecret(pub Option<Secret>);
/// The address of an issuer, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(pub Option<String>);
/// A text, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybeText(pub Option<String>);
/// How often something may happen in a second, or as often as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Often(pub Option<u32>);
/// Names of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames(pub Vec<String>);
/// Origins of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(pub Vec<String>);

impl Readable for Listen {
    const TYPE: &'static str = "address or off";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "off" => Ok(Self(None)),
            text => text
                .parse()
                .map(|address| Self(Some(address)))
                .map_err(|_| Unreadable::new("is no address with a port", "write 127.0.0.1:7400, [::1]:7400 or off")),
        }
    }
    fn to_value(&self) -> Value {
        self.0.map_or_else(|| "off".into(), |address| address.to_string().into())
    }
}

impl Readable for MaybeRole {
    const TYPE: &'static str = "metrics, viewer, operator, admin or none";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "none" => Ok(Self(None)),
            text => text
                .parse()
                .map(|role| Self(Some(role)))
                .map_err(|_| Unreadable::new("is no role", "write metrics, viewer, operator, admin or none")),
        }
    }
    fn to_value(&self) -> Value {
        self.0.map_or("none", Role::as_str).into()
    }
}

impl Readable for MaybePath {
    const TYPE: &'static str = "path or nothing";
    const PATH: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        if text.trim().is_empty() { Ok(Self(None)) } else { PathBuf::read(text).map(|path| Self(Some(path))) }
    }
    fn to_value(&self) -> Value {
        self.0.as_ref().map_or_else(|| "".into(), Readable::to_value)
    }
}

impl Readable for MaybeUrl {
    const TYPE: &'static str = "address or nothing";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "" => Ok(Self(None)),
            text => Endpoint::parse(text, SCHEMES)
                .map(|endpoint| Self(Some(endpoint)))
                .map_err(|invalid| Unreadable::new(invalid.reason, &invalid.hint)),
        }
    }
    fn to_value(&self) -> Value {
        self.0.as_ref().map_or_else(|| "".into(), |endpoint| format!("{endpoint}{}", endpoint.path).into())
    }
}

impl Readable for MaybeSecret {
    const TYPE: &'static str = "secret or nothing";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "" => Ok(Self(None)),
            text => text
                .parse()
                .map(|secret| Self(Some(secret)))
                .map_err(|invalid: enact_sink::Invalid| Unreadable::new(invalid.reason, &invalid.hint)),
        }
    }
    fn to_value(&self) -> Value {
        self.0.as_ref().map_or_else(|| "".into(), |secret| secret.to_string().into())
    }
}

impl Readable for Issuer {
    const TYPE: &'static str = "address or nothing";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "" => Ok(Self(None)),
            text => match OidcConfig::endpoint(text) {
                Ok(_) => Ok(Self(Some(text.to_owned()))),
                Err(invalid) => Err(Unreadable::new(invalid.reason, &invalid.hint)),
            },
        }
    }
    fn to_value(&self) -> Value {
        self.0.as_deref().unwrap_or_default().into()
    }
}

impl Readable for MaybeText {
    const TYPE: &'static str = "text or nothing";
    fn read(text: &str) -> Result<Self, Unreadable> {
        let text = text.trim();
        Ok(Self((!text.is_empty()).then(|| text.to_owned())))
    }
    fn to_value(&self) -> Value {
        self.0.as_deref().unwrap_or_default().into()
    }
}

impl Readable for Often {
    const TYPE: &'static str = "whole number or unlimited";
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "unlimited" => Ok(Self(None)),
            text => super::quantity::Count::read(text).map(|count| Self(Some(count.0))),
        }
    }
    fn to_value(&self) -> Value {
        self.0.map_or_else(|| "unlimited".into(), Value::from)
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Readable for HostNames {
    const TYPE: &'static str = "list of host names";
    const LIST: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        let fits = |name: &str| !name.contains(['/', ' ', '@']) && (!name.contains(':') || name.starts_with('['));
        match list(text).find(|name| !fits(name)) {
            Some(name) => {
                let reason = format!("names no host: {name:?}");
                Err(Unreadable::new(reason, "write names without scheme and port, such as hub.example.org"))
            }
            None => Ok(Self(list(text).map(str::to_owned).collect())),
        }
    }
    fn to_value(&self) -> Value {
        self.0.iter().map(String::as_str).collect()
    }
}

impl Readable for Origins {
    const TYPE: &'static str = "list of origins";
    const LIST: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        let fits = |origin: &str| {
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        };
        match list(text).find(|origin| !fits(origin)) {
            Some(origin) => {
                let reason = format!("names no origin: {origin:?}");
                Err(Unreadable::new(reason, "write scheme and host, such as https://console.example.org"))
            }
            None => Ok(Self(list(text).map(str::to_owned).collect())),
        }
    }
    fn to_value(&self) -> Value {
        self.0.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_of_them_is_refused() {
        assert_eq!(Listen::read("off").unwrap(), Listen(None));
        assert!(Listen::read("[::1]:7400").unwrap().0.is_some());
        for wrong in ["7400", "localhost:7400", "127.0.0.1", "", "127.0.0.1:70000"] {
            assert!(Listen::read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["issuer.example", "http://issuer.example", "https://a:b@issuer.example", "ftp://issuer.example"] {
            assert!(Issuer::read(wrong).is_err(), "{wrong}");
        }
        for right in
            ["https://issuer.example/realms/one", "http://127.0.0.1:8080", "http://[::1]:80", "http://localhost"]
        {
            assert_eq!(Issuer::read(right).unwrap().0.as_deref(), Some(right));
        }
        assert!(MaybeRole::read("root").is_err());
        assert_eq!(MaybePath::read("").unwrap(), MaybePath(None));
        assert!(Often::read("0").is_err());
        assert!(HostNames::read("a.example, https://b").is_err());
        assert_eq!(HostNames::read("a.example, [::1]").unwrap().0.len(), 2);
        assert!(Origins::read("https://a.example/").is_err());
        assert!(Origins::read("https://a.example").is_ok());
    }
}
