//! Where a server is: scheme, host, port and path, without anything secret.

use std::fmt;

use hyper::Uri;

use crate::Invalid;

/// A scheme, the port that it means, and whether TLS is spoken.
pub type Scheme = (&'static str, u16, bool);

/// Where a server is. It prints without its path, which may tell more than a log should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: &'static str,
    /// The name or the address; one of version 6 without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Whether TLS is spoken.
    pub tls: bool,
}

impl Endpoint {
    /// Reads an address of one of these schemes.
    ///
    /// # Errors
    /// What is no address, has another scheme, no host, or credentials in it.
    pub fn parse(text: &str, schemes: &[Scheme]) -> Result<Self, Invalid> {
        let example = || {
            format!(
                "write {}",
                schemes.iter().map(|(name, ..)| format!("{name}://host")).collect::<Vec<_>>().join(" or ")
            )
        };
        let uri: Uri = text.parse().map_err(|error| Invalid::new(format!("is no address: {error}"), example()))?;
        let known = schemes.iter().find(|(name, ..)| uri.scheme_str() == Some(*name));
        let (scheme, port, tls) = *known.ok_or_else(|| Invalid::new("has another scheme", example()))?;
        let authority = uri.authority().ok_or_else(|| Invalid::new("names no host", example()))?;
        if authority.as_str().contains('@') {
            return Err(Invalid::new(
                "has credentials in it",
                "take them out and name the secret, such as `password: env:NAME`",
            ));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(Invalid::new("names no host", example()));
        }
        let port = authority.port_u16().unwrap_or(port);
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { scheme, host, port, path, tls })
    }

    /// Returns host and port as they stand in an address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: &[Scheme] = &[("http", 80, false), ("https", 443, true)];

    #[test]
    fn an_address_is_taken_apart_and_prints_without_its_path() {
        let endpoint = Endpoint::parse("https://[::1]:8443/hooks?token=x", SCHEMES).unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("::1", 8443, true));
        assert_eq!((endpoint.path.as_str(), endpoint.to_string().as_str()), ("/hooks?token=x", "https://[::1]:8443"));
        assert_eq!(Endpoint::parse("http://a.example", SCHEMES).unwrap().port, 80);
    }

    #[test]
    fn credentials_other_schemes_and_nonsense_are_refused() {
        for (text, why) in [
            ("http://user:word@a.example/", "credentials"),
            ("ftp://a.example", "scheme"),
            ("a.example/hook", "address"),
            ("/hook", "scheme"),
        ] {
            let invalid = Endpoint::parse(text, SCHEMES).unwrap_err();
            assert!(invalid.reason.contains(why) && !invalid.reason.contains("word"), "{invalid:?}");
        }
    }
}
