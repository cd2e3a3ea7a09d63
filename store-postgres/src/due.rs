//! When a round should not wait for its beat: this process has committed, or
//! another node says that it has numbered.
//!
//! The word of others comes by LISTEN, over a connection of its own. It only makes
//! rounds come sooner: where it is lost, or the database has no such thing, the
//! beat of the rounds finds all the same.

use core::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use futures_util::stream::{self, BoxStream, StreamExt};
use store::Waking;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::Way;
use crate::postgres_store::tls;

/// The name under which nodes tell that they have numbered.
pub(crate) const CHANNEL: &str = "keyfob_numbered";
/// How long nobody listens after the connection was lost.
const DEAF: Duration = Duration::from_secs(2);

/// Resolves when a round has something to do.
pub(crate) struct Due {
    committed: Arc<Notify>,
    /// What this node itself says.
    own: String,
    config: Config,
    way: Way,
    ear: Ear,
}

type Messages = BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>;

/// Every state can be waited for in part: who waits also waits for other things.
enum Ear {
    Connecting(BoxFuture<'static, Option<Listening>>),
    Listening(Listening),
    Deaf(Pin<Box<tokio::time::Sleep>>),
}

struct Listening {
    messages: Messages,
    /// With it the connection ends.
    _client: Client,
}

impl Due {
    pub(crate) fn new(committed: Arc<Notify>, own: String, config: Config, way: Way) -> Self {
        let ear = Ear::Connecting(listen(config.clone(), way.clone()).boxed());
        Self { committed, own, config, way, ear }
    }

    /// Resolves with the word of another node.
    async fn heard(&mut self) {
        loop {
            self.ear = match &mut self.ear {
                Ear::Connecting(connecting) => match connecting.await {
                    Some(listening) => Ear::Listening(listening),
                    None => Ear::Deaf(Box::pin(tokio::time::sleep(DEAF))),
                },
                Ear::Deaf(pause) => {
                    pause.await;
                    Ear::Connecting(listen(self.config.clone(), self.way.clone()).boxed())
                }
                Ear::Listening(listening) => match listening.messages.next().await {
                    Some(Ok(AsyncMessage::Notification(word))) if word.payload() != self.own => return,
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => Ear::Deaf(Box::pin(tokio::time::sleep(DEAF))),
                },
            };
        }
    }
}

impl Waking for Due {
    fn woken(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let committed = Arc::clone(&self.committed);
            tokio::select! {
                () = committed.notified() => {}
                () = self.heard() => {}
            }
        })
    }
}

async fn listen(config: Config, way: Way) -> Option<Listening> {
    match way {
        Way::Plain => {
            let (client, connection) = config.connect(NoTls).await.ok()?;
            begin(client, connection).await
        }
        Way::Tls(authorities) => {
            let tls = MakeRustlsConnect::new(tls(&authorities).ok()?);
            let (client, connection) = config.connect(tls).await.ok()?;
            begin(client, connection).await
        }
    }
}

async fn begin<S, T>(client: Client, mut connection: Connection<S, T>) -> Option<Listening>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context)).boxed();
    let text = format!("LISTEN {CHANNEL}");
    let mut asked = client.batch_execute(&text).boxed();
    loop {
        // Nothing of the connection moves unless its messages are asked for.
        match select(asked, messages.next()).await {
            Either::Left((answered, _)) => break answered.ok()?,
            Either::Right((message, pending)) => {
                message?.ok()?;
                asked = pending;
            }
        }
    }
    Some(Listening { messages, _client: client })
}
