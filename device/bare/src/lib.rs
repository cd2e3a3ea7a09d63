//! Firmware in miniature: the SDK's core with nothing of the standard library.
//!
//! Owns: showing that it links, and what firmware brings. It is built, never run: its
//! allocator has no memory to give.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::convert::Infallible;
use core::panic::PanicInfo;

use device::vault::{Flash, Slot, Vault};
use device::{
    Address, ClientAuth, Given, Hello, Home, Input, Machine, Memory, Output, Renewal, SignError, Signer, Way,
};
use jose::{Alg, Jwk};
use zeroize::Zeroizing;

struct Heap;

// SAFETY: it gives nothing, so there is nothing that could be used wrongly.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Heap = Heap;

/// The standard library brings one too: were it linked, this would be one too many.
#[panic_handler]
fn halt(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Two sectors of a chip.
struct Sectors([[u8; 4096]; 2]);

impl Sectors {
    fn sector(&mut self, slot: Slot) -> &mut [u8; 4096] {
        let [a, b] = &mut self.0;
        if slot == Slot::A { a } else { b }
    }
}

impl Flash for Sectors {
    type Error = Infallible;

    fn capacity(&self) -> usize {
        4096
    }

    fn read(&mut self, slot: Slot) -> Result<Zeroizing<Vec<u8>>, Infallible> {
        Ok(Zeroizing::new(self.sector(slot).to_vec()))
    }

    fn erase(&mut self, slot: Slot) -> Result<(), Infallible> {
        self.sector(slot).fill(0xff);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), Infallible> {
        self.sector(slot).iter_mut().zip(bytes).for_each(|(cell, byte)| *cell = *byte);
        Ok(())
    }

    fn sync(&mut self, _: Slot) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A key in a secure element.
struct Element(Jwk);

impl Signer for Element {
    fn alg(&self) -> Alg {
        Alg::ES256
    }

    fn jwk(&self) -> &Jwk {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Failed)
    }
}

/// A chip's own digest.
fn sha256(_: &[u8]) -> [u8; 32] {
    [0; 32]
}

/// One step of a device's life. Returns the seconds to wait, 0 for a request to send, -1 where
/// there is nothing to do.
#[unsafe(no_mangle)]
pub extern "C" fn keyfob_step(now: i64) -> i64 {
    step(now).unwrap_or(-1)
}

fn step(now: i64) -> Option<i64> {
    let vault = Vault::open(Sectors([[0xff; 4096]; 2]), sha256).ok()?;
    let asset = vault.state().asset.clone()?;
    let key = Jwk::parse(br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#).ok()?;
    let home = Home {
        token_url: Address::parse("https://id.example.com/token").ok()?,
        client: ClientAuth::Public { client_id: "firmware".into() },
        device_url: Address::parse("https://device.id.example.com").ok()?,
        way: Way::Key { did: "dev_9F3K2".into(), issuer: "https://id.example.com".into() },
        hello: Hello::default(),
    };
    let mut renewal = Renewal::new(home, asset);
    let (signer, mut memory) = (Element(key), Memory::new());
    let mut given = Given { now, random: [0; 48], signer: &signer, sha256, memory: &mut memory };
    match renewal.next(Input::Go, &mut given) {
        Output::Wait(seconds) => Some(i64::from(seconds)),
        Output::Send(_) => Some(0),
        Output::Show(_) | Output::Done(_) | Output::Failed(_) => None,
    }
}
