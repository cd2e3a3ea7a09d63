//! One device of a fleet: the SDK's machines over a connection of its own. Owns how
//! they are driven; what they do is the SDK's.

use std::sync::Arc;

use authority::Entropy;
use device::file::FileKey;
use device::{
    Actor, ActorClaims, Address, BackOff, CallHome, Called, ClientAuth, Exchange, Failure, Given, Hello, Home, Input,
    Kept, Machine, Memory, Output, Renewal, Renewed, Secret, Signer, Way,
};
use jose::{Alg, SigningKey, digest};

use super::factory::Made;
use super::timeline::{Awake, Timeline};
use super::wire::{Net, Wire};
use crate::demo::rehearsal::Customer;
use crate::port::SystemEntropy;

/// A sleep longer than this is slept without a connection, seconds.
const HANG_UP: u32 = 5;

/// What the devices of a fleet have in common.
pub(super) struct World {
    pub(super) net: Arc<Net>,
    pub(super) timeline: Arc<Timeline>,
    /// Where devices call home.
    pub(super) devices: Address,
    pub(super) model: String,
    /// Tokens of a call home are bound to the key, not to the certificate: only those renew.
    pub(super) bound_to_key: bool,
}

/// The customer whose devices they are, and the app's key.
pub(super) struct Household {
    pub(super) customer: Customer,
    pub(super) key: FileKey,
    pub(super) issuer: String,
    /// An app registers one device after the other.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// A device.
pub(super) struct Member {
    pub(super) serial: String,
    pub(super) asset: Option<Kept>,
    signer: SigningKey,
    memory: Memory,
    wire: Wire,
}

impl Member {
    /// Switches a device on.
    ///
    /// # Errors
    /// In words, when its key or certificate is none.
    pub(super) fn new(net: &Net, made: Made, number: u32, resumes: bool) -> Result<Self, String> {
        let Made { serial, key, chain } = made;
        let signer = SigningKey::from_pkcs8(Alg::ES256, &key).map_err(|error| format!("{serial}: {error}"))?;
        let wire = Wire::new(net, chain, &key, number, resumes).map_err(|error| format!("{serial}: {error}"))?;
        Ok(Self { serial, asset: None, signer, memory: Memory::new(), wire })
    }

    /// Calls home until somebody answers.
    ///
    /// # Errors
    /// The server's no.
    pub(super) async fn call_home(&mut self, world: &World, awake: &Awake) -> Result<Called, Failure> {
        let mut back_off = BackOff::default();
        loop {
            let mut machine = CallHome::new(&world.devices, way(world), self.hello(world));
            match self.drive(world, awake, &mut machine).await {
                Err(failure) => {
                    let given = given(&world.timeline, &self.signer, &mut self.memory);
                    let Some(seconds) = back_off.after(&failure, &given) else { return Err(failure) };
                    self.wire.close();
                    awake.sleep(seconds).await;
                }
                called => return called,
            }
        }
    }

    /// Signs what it is, and is registered by the app of its customer (RFC 8693).
    ///
    /// # Errors
    /// The server's no.
    pub(super) async fn be_registered(
        &mut self,
        world: &World,
        awake: &Awake,
        house: &Household,
        did: &str,
    ) -> Result<(), Failure> {
        let claims = ActorClaims {
            did: did.to_owned(),
            audience: house.issuer.clone(),
            serial_number: Some(self.serial.clone()),
            model: Some(world.model.clone()),
            ..ActorClaims::default()
        };
        let actor = claims.sign(&given(&world.timeline, &self.signer, &mut self.memory))?;
        let client = ClientAuth::Public { client_id: house.customer.client.to_owned() };
        let (url, token) = (house.customer.token_url.clone(), house.customer.access_token.clone());
        let mut machine = Exchange::register(url, client, token, Actor::Token(Secret::new(actor)), true);
        machine.audience = vec![house.customer.audience.clone()];
        machine.scope = Some(house.customer.scope.to_owned());
        // The app proves its own key; the connection is the device's all the same, since the
        // people's listener asks for no certificate.
        let mut memory = Memory::new();
        // Whoever waits for the app holds no connection that the one it serves may need.
        self.wire.close();
        let turn = house.turn.lock().await;
        let tokens = drive(world, awake, &mut machine, &house.key, &mut memory, &mut self.wire).await?;
        drop(turn);
        self.asset = Some(Kept { tokens, received_at: world.timeline.now() });
        Ok(())
    }

    /// Lives with its asset token until it is renewed.
    ///
    /// # Errors
    /// A key that cannot sign.
    pub(super) async fn renew(
        &mut self,
        world: &World,
        awake: &Awake,
        asset: Kept,
        token_url: &Address,
    ) -> Result<Renewed, Failure> {
        let home = Home {
            token_url: token_url.clone(),
            client: ClientAuth::KeyAlone,
            device_url: world.devices.clone(),
            way: way(world),
            hello: self.hello(world),
        };
        self.drive(world, awake, &mut Renewal::new(home, asset)).await
    }

    /// Hangs up.
    pub(super) fn hang_up(&mut self) {
        self.wire.close();
    }

    fn hello(&self, world: &World) -> Hello {
        Hello {
            serial_number: Some(self.serial.clone()),
            model: Some(world.model.clone()).filter(|model| !model.is_empty()),
            ..Hello::default()
        }
    }

    async fn drive<M: Machine>(&mut self, world: &World, awake: &Awake, machine: &mut M) -> Result<M::Done, Failure> {
        drive(world, awake, machine, &self.signer, &mut self.memory, &mut self.wire).await
    }
}

fn way(world: &World) -> Way {
    Way::Certificate { bound_to_key: world.bound_to_key }
}

async fn drive<M: Machine>(
    world: &World,
    awake: &Awake,
    machine: &mut M,
    signer: &dyn Signer,
    memory: &mut Memory,
    wire: &mut Wire,
) -> Result<M::Done, Failure> {
    let mut input = Input::Go;
    loop {
        let output = machine.next(input, &mut given(&world.timeline, signer, memory));
        input = match output {
            Output::Send(request) => wire.exchange(&world.net, &request).await,
            Output::Wait(seconds) => {
                if seconds > HANG_UP {
                    wire.close();
                }
                awake.sleep(seconds).await;
                Input::Go
            }
            Output::Show(_) => Input::Go,
            Output::Done(done) => return Ok(done),
            Output::Failed(failure) => return Err(failure),
        };
    }
}

fn given<'a>(timeline: &Timeline, signer: &'a dyn Signer, memory: &'a mut Memory) -> Given<'a> {
    let mut random = [0; 48];
    SystemEntropy.fill(&mut random);
    Given { now: timeline.now(), random, signer, sha256: digest::sha256, memory }
}
