//! What the servers and the proxy promise.

mod postgres;
mod proxy;
mod redis;
