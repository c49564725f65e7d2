//! What another implementation of TLS finds at the door: the questions that `testssl` asks, asked by `openssl s_client`.

use std::process::{Command, Stdio};

use crate::bed::Bed;
use crate::skip::skip;
use crate::tls;

/// Whether a handshake was whole and its end orderly, and all that was said.
struct Said {
    whole: bool,
    text: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_finds_new_protocols_and_strong_ciphers_only() {
    if !Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return skip("openssl is not here; `cargo xtask test` brings it");
    }
    let folder = tempfile::tempdir().unwrap();
    tls::write(folder.path());
    let bed = Bed::with(|config| config.tls = Some(tls::files(folder.path()))).await;
    let (port, authority) = (bed.address.port(), folder.path().join("cert.pem"));
    let says = async |words: &str, typed: &str| {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"]);
        client.args(["-verify_hostname", "localhost", "-verify_return_error", "-CAfile"]).arg(&authority);
        client.args(words.split(' ').filter(|word| !word.is_empty()));
        let typed = typed.to_owned();
        tokio::task::spawn_blocking(move || {
            let mut client =
                client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut client.stdin.take().unwrap(), typed.as_bytes()).unwrap();
            let output = client.wait_with_output().unwrap();
            let text =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            Said { whole: output.status.success(), text }
        })
        .await
        .unwrap()
    };

    // Both protocols that are safe, with keys that are forgotten afterwards, and nothing packed.
    for (words, finds) in [
        ("-tls1_2", "New, TLSv1.2, Cipher is ECDHE-ECDSA-"),
        ("-tls1_3", "New, TLSv1.3, Cipher is TLS_"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305"),
    ] {
        let said = says(words, "").await;
        let safe = ["Verify return code: 0 (ok)", "Server Temp Key: ", "Compression: NONE", finds];
        assert!(said.whole && safe.iter().all(|word| said.text.contains(word)), "{words}: {}", said.text);
    }
    assert!(says("-tls1_2", "").await.text.contains("Secure Renegotiation IS supported"));

    // What is old or weak is refused by the door, not by a client that would not speak it.
    for words in [
        "-tls1 -cipher DEFAULT@SECLEVEL=0",
        "-tls1_1 -cipher DEFAULT@SECLEVEL=0",
        "-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA384",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
        "-tls1_2 -cipher AES128-GCM-SHA256",
        "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256",
        "-tls1_2 -cipher NULL@SECLEVEL=0",
        "-tls1_2 -cipher aNULL@SECLEVEL=0",
    ] {
        let said = says(words, "").await;
        assert!(!said.whole && said.text.contains("alert handshake failure"), "{words}: {}", said.text);
    }
    // Nor does a client make it shake hands again and again.
    let again = says("-tls1_2", "R\n").await;
    assert!(!again.whole && again.text.contains("RENEGOTIATING"), "{}", again.text);

    assert!(says("-alpn h2,http/1.1", "").await.text.contains("ALPN protocol: h2"));
    assert!(says("-alpn http/1.1", "").await.text.contains("ALPN protocol: http/1.1"));
    let other = says("-alpn spdy/3", "").await;
    assert!(!other.whole && other.text.contains("alert no application protocol"), "{}", other.text);
    // Somebody who trusts others is not fooled.
    let stranger = tempfile::tempdir().unwrap();
    tls::write(stranger.path());
    let fooled = says(&format!("-CAfile {}", stranger.path().join("cert.pem").display()), "").await;
    assert!(!fooled.whole && fooled.text.contains("verify error"), "{}", fooled.text);
}
