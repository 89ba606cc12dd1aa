import Foundation
#if canImport(CryptoKit)
import CryptoKit
#endif

/// In lower-case hexadecimal digits.
func sha256(_ data: Data) -> String {
    #if canImport(CryptoKit)
    let digest = Array(SHA256.hash(data: data))
    #else
    let digest = hashed(data)
    #endif
    return digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

#if !canImport(CryptoKit)
/// FIPS 180-4, where the system has none.
private func hashed(_ data: Data) -> [UInt8] {
    let primes = (2...311).filter { n in !(2..<n).contains { $0 * $0 <= n && n % $0 == 0 } }
    // The first 32 bits of the fractions of the primes' roots.
    let rounds = primes.prefix(64).map { fraction(cbrt(Double($0))) }
    var state = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
    var padded = [UInt8](data)
    let bits = UInt64(padded.count) * 8
    padded.append(0x80)
    padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
    padded += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
    var words = [UInt32](repeating: 0, count: 64)
    padded.withUnsafeBufferPointer { bytes in
        for block in stride(from: 0, to: bytes.count, by: 64) {
            for i in 0..<16 {
                words[i] = (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[block + 4 * i + $1]) }
            }
            for i in 16..<64 {
                let (early, late) = (words[i - 15], words[i - 2])
                let mixed = turned(early, 7) ^ turned(early, 18) ^ early >> 3
                words[i] = words[i - 16] &+ mixed &+ words[i - 7] &+ (turned(late, 17) ^ turned(late, 19) ^ late >> 10)
            }
            var (a, b, c, d, e, f, g, h) = (
                state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7])
            for i in 0..<64 {
                let chosen = (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) &+ (e & f ^ ~e & g)
                let added = h &+ chosen &+ rounds[i] &+ words[i]
                let most = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) &+ (a & b ^ a & c ^ b & c)
                (h, g, f, e, d, c, b, a) = (g, f, e, d &+ added, c, b, a, added &+ most)
            }
            state = zip(state, [a, b, c, d, e, f, g, h]).map { $0 &+ $1 }
        }
    }
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
}

private func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 4_294_967_296) }

private func turned(_ word: UInt32, _ bits: UInt32) -> UInt32 { word >> bits | word << (32 - bits) }
#endif
