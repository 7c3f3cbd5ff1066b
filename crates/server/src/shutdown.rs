//! When a server stops.

use signals::Signals;
use tokio::sync::oneshot;

/// A reason to stop that can be waited for. On Unix, signals count from the moment when it is made, which
/// must be within a runtime.
#[derive(Debug)]
pub struct Shutdown {
    manual: Option<oneshot::Receiver<()>>,
    signals: Signals,
}

impl Shutdown {
    /// Stops on SIGINT or SIGTERM.
    pub fn on_signal() -> Self {
        Self { manual: None, signals: Signals::listen() }
    }

    /// Stops on a signal or when the sender is used; a sender that is dropped stops nothing.
    pub fn manual_or_signal() -> (oneshot::Sender<()>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self { manual: Some(receiver), signals: Signals::listen() })
    }

    /// Waits for the reason.
    pub async fn wait(self) {
        let manual = async {
            if let Some(receiver) = self.manual
                && receiver.await.is_ok()
            {
                return;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = manual => {}
            () = self.signals.next() => {}
        }
    }
}

#[cfg(unix)]
mod signals {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// SIGINT and SIGTERM; one that cannot be listened to keeps what it does by default.
    #[derive(Debug)]
    pub(super) struct Signals([Option<Signal>; 2]);

    impl Signals {
        pub(super) fn listen() -> Self {
            Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()))
        }

        pub(super) async fn next(self) {
            let [interrupt, terminate] = self.0.map(one);
            tokio::select! {
                () = interrupt => {}
                () = terminate => {}
            }
        }
    }

    async fn one(signal: Option<Signal>) {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
mod signals {
    /// Control-C.
    #[derive(Debug)]
    pub(super) struct Signals;

    impl Signals {
        pub(super) fn listen() -> Self {
            Self
        }

        pub(super) async fn next(self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
