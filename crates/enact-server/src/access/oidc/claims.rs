//! What a token claims: for whom and when it holds, whose it is, and what they may.

use std::time::{SystemTime, UNIX_EPOCH};

use enact_model::id::TenantId;
use enact_runtime::api::{Caller, Role};
use serde_json::{Map, Value};

use super::{OidcConfig, Refused, invalid};

/// How far the clocks of issuer and hub may be apart, in seconds.
const LEEWAY_S: f64 = 60.0;
/// Longest subject, in bytes: it stands in the log as who did it.
const SUBJECT_MAX: usize = 255;

type Claims = Map<String, Value>;

/// Returns who the caller is by claims that are proven, and a name by which their questions are counted.
pub(super) fn caller(claims: &Claims, config: &OidcConfig, now: SystemTime) -> Result<(Caller, String), Refused> {
    if claims.get("iss").and_then(Value::as_str) != Some(&config.issuer) {
        return Err(invalid("is of another issuer"));
    }
    if !texts(claims.get("aud")).any(|audience| audience == config.audience) {
        return Err(invalid("is meant for another audience"));
    }
    holds_now(claims, now)?;
    let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| is_name(subject));
    let subject = subject.ok_or_else(|| invalid("names no subject that can stand in the log"))?;
    let tenant = find(claims, &config.tenant_claim).and_then(Value::as_str);
    let tenant = tenant.ok_or_else(|| invalid(format!("names no tenant in its claim {}", config.tenant_claim)))?;
    let tenant: TenantId =
        tenant.parse().map_err(|_| invalid(format!("names in its claim {} what is no tenant", config.tenant_claim)))?;
    // A text may hold several words, as a scope does. The figures are of all tenants, so that role is the hub's own to give.
    let roles = texts(find(claims, &config.roles_claim)).flat_map(str::split_whitespace);
    let role = roles.filter_map(|role| role.parse::<Role>().ok()).filter(|role| *role != Role::Metrics).max();
    let role = role.ok_or_else(|| Refused::NoRole { claim: config.roles_claim.clone() })?;
    let actor = format!("oidc:{subject}");
    let counted = format!("{tenant} {actor}");
    Ok((Caller::new(tenant, actor, role), counted))
}

fn holds_now(claims: &Claims, now: SystemTime) -> Result<(), Refused> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|time| time.is_finite()) {
            Some(time) => Ok(Some(time)),
            None => Err(invalid(format!("has a claim {name} that is no time"))),
        },
    };
    let end = time("exp")?.ok_or_else(|| invalid("says not when it ends"))?;
    if now >= end + LEEWAY_S {
        return Err(invalid("has expired"));
    }
    if time("nbf")?.is_some_and(|begin| now + LEEWAY_S < begin) {
        return Err(invalid("does not hold yet"));
    }
    Ok(())
}

fn is_name(subject: &str) -> bool {
    !subject.trim().is_empty() && subject.len() <= SUBJECT_MAX && !subject.chars().any(char::is_control)
}

/// Finds a claim: by its whole name, which may have dots, or by the path that they make.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    })
}

/// Returns the texts of a claim that is one or a list of them.
fn texts(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = claim.and_then(Value::as_array).map(Vec::as_slice);
    list.unwrap_or_else(|| claim.map(std::slice::from_ref).unwrap_or_default()).iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn config(roles_claim: &str) -> OidcConfig {
        OidcConfig {
            issuer: "https://issuer.example".into(),
            audience: "enact".into(),
            tenant_claim: "tenant".into(),
            roles_claim: roles_claim.into(),
            trust: enact_dial::connect::Trust::System,
            pace: super::super::Pace::default(),
        }
    }

    fn judge(change: impl FnOnce(&mut Value), roles_claim: &str) -> Result<Caller, String> {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": ["other", "enact"], "exp": 1_000, "nbf": 500, "sub": "ann",
            "tenant": "acme", "roles": ["viewer", "operator", "baker"], "realm": { "access": { "roles": "admin viewer" } },
            "https://a.example/roles": ["viewer"]
        });
        change(&mut claims);
        let now = UNIX_EPOCH + Duration::from_secs(700);
        let claims = claims.as_object().unwrap().clone();
        caller(&claims, &config(roles_claim), now).map(|(caller, _)| caller).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_token_gives_its_tenant_and_the_greatest_of_its_roles() {
        let caller = judge(|_| (), "roles").unwrap();
        assert_eq!((caller.tenant.as_str(), caller.role, caller.actor.as_str()), ("acme", Role::Operator, "oidc:ann"));
        assert_eq!(judge(|_| (), "realm.access.roles").unwrap().role, Role::Admin);
        assert_eq!(judge(|_| (), "https://a.example/roles").unwrap().role, Role::Viewer);
        assert_eq!(judge(|claims| claims["aud"] = json!("enact"), "roles").unwrap().role, Role::Operator);
    }

    #[test]
    fn a_time_counts_with_a_minute_of_leeway_to_both_sides() {
        for (name, time, holds) in [
            ("exp", json!(641), true),
            ("exp", json!(640), false),
            ("exp", json!(640.5), true),
            ("exp", json!("1000"), false),
            ("exp", json!(null), false),
            ("nbf", json!(760), true),
            ("nbf", json!(761), false),
            ("nbf", json!("soon"), false),
        ] {
            assert_eq!(judge(|claims| claims[name] = time.clone(), "roles").is_ok(), holds, "{name} {time}");
        }
        let without = judge(|claims| drop(claims.as_object_mut().unwrap().remove("exp")), "roles");
        assert!(without.unwrap_err().contains("says not when it ends"));
    }

    #[test]
    fn what_is_missing_or_of_somebody_else_is_refused_with_its_reason() {
        for (name, value, why) in [
            ("iss", json!("https://issuer.example/"), "another issuer"),
            ("aud", json!(["enact2"]), "another audience"),
            ("aud", json!(null), "another audience"),
            ("sub", json!(" "), "subject"),
            ("sub", json!("a\nb"), "subject"),
            ("sub", json!("a".repeat(256)), "subject"),
            ("tenant", json!(7), "no tenant in its claim tenant"),
            ("tenant", json!(["acme"]), "no tenant in its claim tenant"),
            ("tenant", json!("no such/name"), "what is no tenant"),
            ("roles", json!(["Admin", "root"]), "claim roles names none of the roles"),
            ("roles", json!("openid metrics"), "claim roles names none of the roles"),
            ("roles", json!({}), "claim roles names none of the roles"),
        ] {
            let refused = judge(|claims| claims[name] = value.clone(), "roles").unwrap_err();
            assert!(refused.contains(why), "{name} {value}: {refused}");
        }
    }
}
