//! A wire between a hub and a server that can lose what the server answers, as a network does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Outcome, Place};

/// A port that leads to another.
pub struct Wire {
    port: u16,
    lost: Arc<AtomicBool>,
}

impl Wire {
    /// Lays one to a port of this machine; it lasts as long as this process.
    ///
    /// # Errors
    /// There is no loopback.
    pub fn to(server: u16) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").doing(|| "lay a wire".to_owned())?;
        let port = listener.local_addr().doing(|| "lay a wire".to_owned())?.port();
        let lost = Arc::new(AtomicBool::new(false));
        let of_this = Arc::clone(&lost);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { continue };
                let never = Arc::new(AtomicBool::new(false));
                std::thread::spawn(move || carry(client, to_server, &never));
                let lost = Arc::clone(&of_this);
                std::thread::spawn(move || carry(server, to_client, &lost));
            }
        });
        Ok(Self { port, lost })
    }

    /// Returns the port where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Loses what the server answers from now on, or carries it again.
    pub fn lose_answers(&self, lose: bool) {
        self.lost.store(lose, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, lost: &AtomicBool) {
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..count).unwrap_or_default();
        if !lost.load(Ordering::SeqCst) && to.write_all(bytes).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_answers_is_lost_and_what_it_is_told_arrives() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire::to(server.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", wire.port())).unwrap();
        let (mut other, _) = server.accept().unwrap();
        let mut bytes = [0; 3];
        client.write_all(b"one").unwrap();
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"one");
        wire.lose_answers(true);
        other.write_all(b"yes").unwrap();
        client.write_all(b"two").unwrap();
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"two");
        drop(other);
        assert_eq!(client.read(&mut bytes).unwrap(), 0, "an answer came through");
    }
}
