//! Tokens of an OIDC issuer: which hold, which do not, and what happens when the issuer does not answer (A1, A2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enact_runtime::api::Role;
use enact_server::access::{Oidc, Trust};
use ring::hmac;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::http::{Answer, Ask};
use crate::issuer::{Issuer, Pair, seconds, unsigned};

const PAUSE: Duration = Duration::from_secs(30);

async fn bed(issuer: &Issuer, pause: Duration) -> Bed {
    let oidc = issuer.config(pause);
    Bed::with(move |config| config.oidc = Some(oidc)).await
}

async fn list(bed: &Bed, token: &str) -> Answer {
    let answer = bed.ask(Ask::new("GET", "/v1/executions").token(token)).await;
    assert!(
        !answer.text().contains(token.rsplit('.').next().filter(|part| part.len() > 8).unwrap_or(token)),
        "{answer:?}"
    );
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_issuer_is_its_tenant_and_role_with_each_algorithm() {
    let pairs = [("r", Pair::rsa()), ("p", Pair::p256()), ("e", Pair::ed25519())];
    let issuer = Issuer::open(pairs.iter().map(|(kid, pair)| pair.public(kid)).collect()).await;
    let bed = bed(&issuer, PAUSE).await;
    for (n, (kid, pair)) in pairs.iter().enumerate() {
        let token = pair.token(kid, &issuer.claims());
        let draft = json!({ "intent_type": "text.words.echo", "parameters": { "n": n } });
        let view = bed.ask(Ask::new("POST", "/v1/intents?wait=30s").json(&draft).token(&token)).await.is(200).json();
        assert_eq!(view["execution"]["intent"]["tenant_id"], "acme", "{kid}");
        let id = view["execution"]["id"].as_str().unwrap().to_owned();
        let audit = format!("/v1/executions/{id}/audit");
        let told = bed.ask(Ask::new("GET", &audit).token(&token)).await.is(200).json();
        let first = &told["items"][0];
        assert_eq!((&first["actor"], &first["role"]), (&json!("oidc:ann"), &json!("operator")));
        // It is its own tenant's alone, and a body that names another is refused.
        bed.get(&audit).await.is(404);
        let forged = json!({ "intent_type": "text.words.echo", "tenant_id": "default", "parameters": {} });
        bed.ask(Ask::new("POST", "/v1/intents").json(&forged).token(&token)).await.is(403);
        let mut claims = issuer.claims();
        claims["roles"] = json!("viewer");
        bed.ask(Ask::new("POST", "/v1/intents").json(&draft).token(&pair.token(kid, &claims))).await.is(403);
        // Without the name of a key, those for its algorithm are tried.
        let header = json!({ "alg": pair.algorithm() });
        list(&bed, &pair.token_with(&header, &issuer.claims())).await.is(200);
    }
    assert_eq!(issuer.asked(), 1, "the keys are asked for once");
    // The hub's own tokens hold as before, and so does who is near and has none.
    let own = bed.token("default", Role::Viewer);
    list(&bed, &own).await.is(200);
    bed.get("/v1/executions").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsigned_forged_or_meant_for_others_is_refused_with_its_reason() {
    let (pair, rsa, other) = (Pair::ed25519(), Pair::rsa(), Pair::ed25519());
    let issuer = Issuer::open(vec![pair.public("a"), rsa.public("r")]).await;
    let bed = bed(&issuer, PAUSE).await;
    let claims = issuer.claims();
    let right = pair.token("a", &claims);
    list(&bed, &right).await.is(200);
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims();
        claims[name] = value;
        pair.token("a", &claims)
    };
    let (signed, signature) = right.rsplit_once('.').unwrap();
    let mut greater = issuer.claims();
    greater["roles"] = json!(["admin"]);
    let lifted = format!("{}.{signature}", unsigned(&json!({ "alg": "EdDSA", "kid": "a", "typ": "JWT" }), &greater));
    let keyed = |kid: &str, secret: &[u8], alg: &str, hash: hmac::Algorithm| {
        let signed = unsigned(&json!({ "alg": alg, "kid": kid }), &greater);
        let tag = hmac::sign(&hmac::Key::new(hash, secret), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let public = |jwk: &Value, name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let nobody = format!("{}.", unsigned(&json!({ "alg": "none" }), &greater));
    let nobody_signed = format!("{}.{signature}", unsigned(&json!({ "alg": "None", "kid": "a" }), &greater));
    let brought = json!({ "alg": "EdDSA", "kid": "a", "jwk": other.public("a"), "jku": "http://127.0.0.1:1/keys" });
    for (what, token, why) in [
        ("none", nobody, "algorithm that is not taken"),
        ("None", nobody_signed, "algorithm that is not taken"),
        (
            "HS256 by the public key",
            keyed("r", &public(&rsa.public("r"), "n"), "HS256", hmac::HMAC_SHA256),
            "not taken",
        ),
        ("HS512", keyed("a", &public(&pair.public("a"), "x"), "HS512", hmac::HMAC_SHA512), "not taken"),
        ("MAC as EdDSA", keyed("a", &public(&pair.public("a"), "x"), "EdDSA", hmac::HMAC_SHA512), "signature"),
        ("EdDSA as RS256", pair.token_with(&json!({ "alg": "RS256", "kid": "a" }), &claims), "does not have"),
        ("RS256 by the key of another", rsa.token("a", &claims), "key that the issuer does not have"),
        ("expired", with("exp", json!(seconds(-61))), "has expired"),
        ("not yet", with("nbf", json!(seconds(120))), "does not hold yet"),
        ("no end", with("exp", Value::Null), "no time"),
        ("other audience", with("aud", json!(["enact-test"])), "another audience"),
        ("other issuer", with("iss", json!("https://issuer.example")), "another issuer"),
        ("other key of the same name", other.token("a", &claims), "does not have the signature"),
        ("a key that it brings along", other.token_with(&brought, &claims), "does not have the signature"),
        ("unknown key", pair.token("b", &claims), "key that the issuer does not have"),
        ("other claims", lifted, "does not have the signature"),
        ("no signature", format!("{signed}."), "does not have the signature"),
        ("half a signature", format!("{signed}.{}", &signature[..40]), "does not have the signature"),
        ("extension", pair.token_with(&json!({ "alg": "EdDSA", "kid": "a", "crit": ["b64"] }), &claims), "extensions"),
        ("no tenant", with("org", json!({})), "no tenant in its claim org.tenant"),
        ("nonsense", "a.b.c".to_owned(), "no signed token"),
        ("empty", "..".to_owned(), "no signed token"),
        ("long", format!("{}.{signature}", "a.".repeat(20_000)), "not one of this hub"),
        ("long claims", with("more", json!("x".repeat(20_000))), "longer than"),
    ] {
        let answer = list(&bed, &token).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert!(answer.text().contains(why), "{what}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
    }
    let answer = list(&bed, &with("roles", json!(["baker"]))).await.is(403);
    assert!(answer.text().contains("claim roles names none of the roles"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_names_of_keys_does_not_make_the_hub_ask_the_issuer_each_time() {
    let pair = Pair::ed25519();
    let issuer = Issuer::open(vec![pair.public("a")]).await;
    let bed = bed(&issuer, PAUSE).await;
    for n in 0..50 {
        list(&bed, &pair.token(&format!("guess-{n}"), &issuer.claims())).await.is(401);
    }
    assert_eq!(issuer.asked(), 1);
    // What does not even look like a token of it asks nothing.
    list(&bed, &pair.token_with(&json!({ "alg": "HS256", "kid": "z" }), &issuer.claims())).await.is(401);
    list(&bed, &pair.token("a", &issuer.claims())).await.is(200);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_keeps_those_out_whose_key_is_not_known_and_nobody_else() {
    let (pair, next) = (Pair::ed25519(), Pair::p256());
    let mut issuer = Issuer::open(vec![pair.public("a")]).await;
    let token = pair.token("a", &issuer.claims());
    issuer.stop().await;
    let bed = bed(&issuer, Duration::ZERO).await;
    let answer = list(&bed, &token).await.is(503);
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("the issuer does not answer") && detail.contains(&issuer.name()), "{detail}");
    bed.get("/v1/executions").await.is(200);
    let own = bed.token("default", Role::Viewer);
    list(&bed, &own).await.is(200);
    let down = Oidc::new(issuer.config(PAUSE)).check().await.unwrap_err();
    assert!(down.contains("cannot be reached"), "{down}");

    issuer.start().await;
    list(&bed, &token).await.is(200);
    assert!(Oidc::new(issuer.config(PAUSE)).check().await.unwrap().contains("1 keys"));
    issuer.stop().await;
    // A key that is known goes on; of one that is not, nobody can tell.
    list(&bed, &token).await.is(200);
    list(&bed, &next.token("b", &issuer.claims())).await.is(503);
    issuer.start().await;
    list(&bed, &next.token("b", &issuer.claims())).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_asked_for_once_a_token_has_its_name_and_an_old_one_is_gone_then() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let issuer = Issuer::open(vec![old.public("2025")]).await;
    let bed = bed(&issuer, Duration::ZERO).await;
    list(&bed, &old.token("2025", &issuer.claims())).await.is(200);
    *issuer.said.keys.lock().unwrap() = vec![new.public("2026")];
    list(&bed, &old.token("2025", &issuer.claims())).await.is(200);
    assert_eq!(issuer.asked(), 1);
    list(&bed, &new.token("2026", &issuer.claims())).await.is(200);
    assert_eq!(issuer.asked(), 2);
    list(&bed, &old.token("2025", &issuer.claims())).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_says_it_is_another_or_sends_elsewhere_is_not_believed() {
    let pair = Pair::ed25519();
    let issuer = Issuer::open(vec![pair.public("a")]).await;
    let bed = bed(&issuer, Duration::ZERO).await;
    let name = issuer.name();
    for (discovery, why) in [
        (json!({ "issuer": "https://issuer.example", "jwks_uri": format!("{name}/keys") }), "is another issuer"),
        (json!({ "issuer": name, "jwks_uri": "http://issuer.example/keys" }), "neither HTTPS nor on loopback"),
        (json!({ "issuer": name, "jwks_uri": "http://169.254.169.254/keys" }), "neither HTTPS nor on loopback"),
        (json!({ "issuer": name, "jwks_uri": format!("{name}/none") }), "answered 404"),
        (json!({ "issuer": name }), "says not where its keys are"),
        (json!("x".repeat(2 << 20)), "more than 1048576 bytes"),
    ] {
        *issuer.said.discovery.lock().unwrap() = Some(discovery);
        let answer = list(&bed, &pair.token("a", &issuer.claims())).await.is(503);
        assert!(answer.text().contains(why), "{answer:?}");
    }
    *issuer.said.discovery.lock().unwrap() = None;
    // Keys for other purposes and other algorithms are none.
    let mut encrypts = pair.public("a");
    encrypts["use"] = json!("enc");
    let mut of_other = pair.public("a");
    of_other["alg"] = json!("ES256");
    *issuer.said.keys.lock().unwrap() = vec![encrypts, of_other, json!({ "kty": "oct", "k": "c2VjcmV0" }), json!(7)];
    let answer = list(&bed, &pair.token("a", &issuer.claims())).await.is(503);
    assert!(answer.text().contains("gives no key for RS256, ES256 or EdDSA"), "{answer:?}");
}

/// What an issuer shows: a certificate of an authority, for localhost.
fn certificate(authority: &rcgen::Issuer<'_, rcgen::KeyPair>, until: i32) -> tokio_rustls::TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(until, 1, 1));
    let made = params.signed_by(&key, authority).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.der().clone()], key).unwrap();
    tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config))
}

/// An authority of nobody but this test, and its certificate in a file.
fn authority(folder: &std::path::Path, name: &str) -> (rcgen::Issuer<'static, rcgen::KeyPair>, Trust) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let path = folder.join(name);
    std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    (rcgen::Issuer::new(params, key), Trust::File(path))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_with_a_certificate_of_a_private_authority_is_trusted_by_that_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (own, trust) = authority(folder.path(), "own.pem");
    let (_, other) = authority(folder.path(), "other.pem");
    let pair = Pair::ed25519();
    let mut issuer = Issuer::over_tls(vec![pair.public("a")], certificate(&own, 2090), trust.clone()).await;
    let token = pair.token("a", &issuer.claims());
    let trusting = bed(&issuer, Duration::ZERO).await;
    list(&trusting, &token).await.is(200);
    assert!(Oidc::new(issuer.config(PAUSE)).check().await.unwrap().contains("1 keys"));

    // Neither the system nor another authority stands for it.
    for (wrong, why) in [
        (other, "invalid peer certificate"),
        (Trust::File(folder.path().join("none.pem")), "none.pem holds no certificates"),
        (Trust::System, ""),
    ] {
        issuer.trust = wrong;
        let distrusting = bed(&issuer, Duration::ZERO).await;
        let answer = list(&distrusting, &token).await.is(503);
        assert!(answer.text().contains("the issuer does not answer") && answer.text().contains(why), "{answer:?}");
    }
    // One that has expired is told apart, and a new one holds at once.
    issuer.trust = trust;
    issuer.stop().await;
    issuer.tls = Some(certificate(&own, 2021));
    issuer.start().await;
    let expired = bed(&issuer, Duration::ZERO).await;
    let answer = list(&expired, &token).await.is(503);
    assert!(answer.text().to_lowercase().contains("expired"), "{answer:?}");
    // Whose keys are known goes on meanwhile.
    list(&trusting, &token).await.is(200);
    issuer.stop().await;
    issuer.tls = Some(certificate(&own, 2090));
    issuer.start().await;
    list(&expired, &token).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_all_tenants_are_no_other_tenants_to_see_whatever_its_issuer_says() {
    let pair = Pair::ed25519();
    let issuer = Issuer::open(vec![pair.public("a")]).await;
    let bed = bed(&issuer, PAUSE).await;
    let asked = async |ask: Ask, tenant: &str, role: &str| {
        let mut claims = issuer.claims();
        (claims["org"]["tenant"], claims["roles"]) = (json!(tenant), json!([role]));
        bed.ask(ask.token(&pair.token("a", &claims))).await
    };
    let figures = || Ask::new("GET", "/metrics");
    let doctor = || Ask::new("POST", "/v1/ask").json(&json!("doctor"));
    for tenant in ["acme", "default"] {
        for role in ["metrics", "viewer", "operator"] {
            asked(figures(), tenant, role).await.is(403);
            asked(doctor(), tenant, role).await.is(403);
        }
    }
    for ask in [figures(), doctor()] {
        let refused = asked(ask.clone(), "acme", "admin").await.is(403);
        assert!(refused.text().contains("use a token of tenant default"), "{refused:?}");
        assert!(!refused.text().contains("enact_"), "{refused:?}");
        // Of the hub's own tenant it is an admin of the hub, as a token of the hub's is.
        asked(ask, "default", "admin").await.is(200);
    }
    figures().token(&bed.token("acme", Role::Admin)).to(bed.address).await.is(403);
    figures().token(&bed.token("default", Role::Metrics)).to(bed.address).await.is(200);
}
