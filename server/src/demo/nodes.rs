//! Two nodes behind one door that chooses between them by chance, connection by
//! connection: as a balancer does that is not sticky.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;

use tokio::net::{TcpListener, TcpStream};

use crate::data::DataFolder;
use crate::listen::Drain;

/// Somewhere on loopback.
pub(super) async fn door() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Gives the second node what all nodes must have in common.
pub(super) fn share(one: &DataFolder, two: &DataFolder) -> io::Result<()> {
    fs::copy(one.master_key_file(), two.master_key_file())?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(two.tls())?;
    for file in fs::read_dir(one.tls())? {
        let file = file?;
        fs::copy(file.path(), two.tls().join(file.file_name()))?;
    }
    Ok(())
}

/// Which of two, again and again (xorshift): by the same seed the same.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        // From zero it would never move.
        Self(seed.max(1))
    }

    fn coin(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.count_ones() & 1 == 0
    }
}

/// Hands each connection to one of the two.
pub(super) fn choose(listener: TcpListener, nodes: [SocketAddr; 2], mut chance: Chance, drain: &Drain) {
    let (tasks, stop) = (drain.clone(), drain.clone());
    drain.spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.stopping() => return,
            };
            let Ok((mut outside, _)) = accepted else { continue };
            let [one, two] = nodes;
            let node = if chance.coin() { one } else { two };
            let stop = stop.clone();
            tasks.spawn(async move {
                let Ok(mut inside) = TcpStream::connect(node).await else { return };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
                    () = stop.stopping() => {}
                }
            });
        }
    });
}
