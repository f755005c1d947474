//! Which of many needles stand in a text. The text is read once, whatever the number of needles:
//! at each place only the lengths are tried of needles that begin as the text does there, and
//! each by one look-up of a rolling hash. Needles come and go one by one.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

/// A needle's number.
pub(super) type NeedleId = u64;

/// The needles that stand in a text.
pub(super) type Found = HashSet<NeedleId>;

/// The prime 2^61 - 1, by which hashes are reduced.
const PRIME: u64 = (1 << 61) - 1;

/// A set of needles, each counted as often as it was added.
#[derive(Debug)]
pub(super) struct Needles {
    /// Drawn at random, so that nobody can choose texts whose hashes are equal.
    base: u64,
    /// The powers of the base, up to the longest needle's.
    powers: Vec<u64>,
    ids: HashMap<Box<str>, NeedleId>,
    needles: HashMap<NeedleId, Needle>,
    next: NeedleId,
    /// By the hash of a needle and its length. Which of several has the right text is compared.
    hashed: HashMap<u64, Vec<NeedleId>, BuildHasherDefault<Hashed>>,
    /// How many needles there are of each length, by how they begin.
    lengths: HashMap<Start, BTreeMap<usize, usize>>,
    version: u64,
}

#[derive(Debug)]
struct Needle {
    chars: Box<[char]>,
    uses: usize,
}

/// The first two characters of a needle; one of a single character has no second.
type Start = (char, Option<char>);

impl Default for Needles {
    fn default() -> Self {
        Self {
            base: fastrand::u64(1 << 32..PRIME),
            powers: vec![1],
            ids: HashMap::new(),
            needles: HashMap::new(),
            next: 0,
            hashed: HashMap::default(),
            lengths: HashMap::new(),
            version: 0,
        }
    }
}

impl Needles {
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Changes whenever the set does: what was found before is found again.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Adds a needle, or counts it once more. An empty one stands everywhere and is none.
    pub fn add(&mut self, text: &str) -> Option<NeedleId> {
        if let Some(id) = self.ids.get(text) {
            if let Some(needle) = self.needles.get_mut(id) {
                needle.uses += 1;
            }
            return Some(*id);
        }
        let chars: Box<[char]> = text.chars().collect();
        let start = start(&chars)?;
        let id = self.next;
        self.next += 1;
        self.version += 1;
        self.prepare(chars.len());
        self.hashed.entry(self.hash(&chars)).or_default().push(id);
        *self.lengths.entry(start).or_default().entry(chars.len()).or_default() += 1;
        self.ids.insert(text.into(), id);
        self.needles.insert(id, Needle { chars, uses: 1 });
        Some(id)
    }

    /// Takes back what was added once.
    pub fn remove(&mut self, text: &str) {
        let Some(&id) = self.ids.get(text) else { return };
        let Some(needle) = self.needles.get_mut(&id) else { return };
        needle.uses -= 1;
        if needle.uses > 0 {
            return;
        }
        self.ids.remove(text);
        self.version += 1;
        let Some(Needle { chars, .. }) = self.needles.remove(&id) else { return };
        let hash = self.hash(&chars);
        if let Some(same) = self.hashed.get_mut(&hash) {
            same.retain(|other| *other != id);
            if same.is_empty() {
                self.hashed.remove(&hash);
            }
        }
        let Some(start) = start(&chars) else { return };
        let Some(lengths) = self.lengths.get_mut(&start) else { return };
        if let Some(count) = lengths.get_mut(&chars.len()) {
            *count -= 1;
            if *count == 0 {
                lengths.remove(&chars.len());
            }
        }
        if lengths.is_empty() {
            self.lengths.remove(&start);
        }
    }

    /// The needles that stand in a text.
    pub fn find(&self, text: &str) -> Found {
        let mut found = Found::new();
        if self.is_empty() {
            return found;
        }
        let chars: Vec<_> = text.chars().collect();
        let mut until = Vec::with_capacity(chars.len() + 1);
        until.push(0);
        let mut sum = 0;
        for one in &chars {
            sum = self.step(sum, *one);
            until.push(sum);
        }
        for place in 0..chars.len() {
            let single = (chars[place], None);
            let double = chars.get(place + 1).map(|second| (chars[place], Some(*second)));
            for start in [Some(single), double].into_iter().flatten() {
                let Some(lengths) = self.lengths.get(&start) else { continue };
                for length in lengths.keys().take_while(|length| place + **length <= chars.len()) {
                    let passed = times(until[place], self.powers[*length]);
                    let hash = mix(minus(until[place + length], passed), *length);
                    self.take(hash, &chars[place..place + length], &mut found);
                }
            }
        }
        found
    }

    /// Adds the needles of a hash that are these characters.
    fn take(&self, hash: u64, chars: &[char], found: &mut Found) {
        for id in self.hashed.get(&hash).into_iter().flatten() {
            if !found.contains(id) && self.needles.get(id).is_some_and(|n| *n.chars == *chars) {
                found.insert(*id);
            }
        }
    }

    fn hash(&self, chars: &[char]) -> u64 {
        mix(chars.iter().fold(0, |sum, one| self.step(sum, *one)), chars.len())
    }

    fn step(&self, sum: u64, one: char) -> u64 {
        (times(sum, self.base) + u64::from(u32::from(one)) + 1) % PRIME
    }

    fn prepare(&mut self, length: usize) {
        while self.powers.len() <= length {
            let last = self.powers.last().copied().unwrap_or(1);
            self.powers.push(times(last, self.base));
        }
    }
}

fn start(chars: &[char]) -> Option<Start> {
    Some((*chars.first()?, chars.get(1).copied()))
}

/// The product of two numbers below the prime.
fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    // Both parts lie below 2^61, for the product lies below 2^122.
    let (low, high) = (product as u64 & PRIME, (product >> 61) as u64);
    (low + high) % PRIME
}

fn minus(one: u64, other: u64) -> u64 {
    (one + PRIME - other) % PRIME
}

/// A hash with its length: the key under which needles are looked up.
fn mix(hash: u64, length: usize) -> u64 {
    hash ^ (length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Takes a number that is a good hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_needle_is_found_until_it_was_taken_back_as_often_as_added() {
        let mut needles = Needles::default();
        let lamp = needles.add("램프").unwrap();
        assert_eq!(needles.add("램프"), Some(lamp));
        assert_eq!(needles.add(""), None);
        let version = needles.version();
        needles.remove("램프");
        assert_eq!(needles.version(), version);
        assert_eq!(needles.find("황동 램프"), Found::from([lamp]));
        needles.remove("램프");
        assert!(needles.find("황동 램프").is_empty() && needles.is_empty());
        assert!(needles.hashed.is_empty() && needles.lengths.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_the_text_contains(
            texts in prop::collection::vec("[ab가 ]{0,30}", 1..4),
            words in prop::collection::vec("[ab가]{1,5}", 0..40),
            gone in 0_usize..40,
        ) {
            let mut needles = Needles::default();
            let ids: Vec<_> = words.iter().map(|word| needles.add(word).unwrap()).collect();
            let gone = gone.min(words.len());
            words[..gone].iter().for_each(|word| needles.remove(word));
            for text in &texts {
                let stands = |(word, _): &(&String, &NeedleId)| text.contains(word.as_str());
                let kept = words[gone..].iter().zip(&ids[gone..]);
                let expected: Found = kept.filter(stands).map(|(_, id)| *id).collect();
                prop_assert_eq!(needles.find(text), expected);
            }
        }
    }
}
