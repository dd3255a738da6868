import NetworkModel

extension ResourceID {
    /// The namespace of DNS names (RFC 9562, section 6.6).
    static let dns = ResourceID(rawValue: 0x6BA7_B810_9DAD_11D1_80B4_00C0_4FD4_30C8)

    /// A name-based identity, version 5 (RFC 9562, section 5.5): the same for the same name, everywhere.
    init(namespace: ResourceID, name: String) {
        var bytes: [UInt8] = (0..<16).map { UInt8(truncatingIfNeeded: namespace.rawValue >> UInt128(120 - 8 * $0)) }
        bytes += name.utf8
        var value: UInt128 = 0
        for byte in SHA1.digest(bytes).prefix(16) { value = value << 8 | UInt128(byte) }
        value &= ~(UInt128(0xF) << 76)
        value |= UInt128(5) << 76
        value &= ~(UInt128(3) << 62)
        value |= UInt128(2) << 62
        self.init(rawValue: value)
    }
}

/// SHA-1 (FIPS 180-4, section 6.1), which version 5 UUIDs are made with. Not for anything that must be secret or unforgeable.
enum SHA1 {
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        let padded = pad(message)
        for start in stride(from: 0, to: padded.count, by: 64) { compress(padded[start..<start + 64], into: &state) }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) } }
    }

    /// A one bit, zeros, and the length in bits as 64-bit number, up to a multiple of 64 bytes.
    private static func pad(_ message: [UInt8]) -> [UInt8] {
        var padded = message + [0x80]
        padded += Array(repeating: 0, count: (119 - message.count % 64) % 64)
        let bits = UInt64(message.count) * 8
        return padded + (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) }
    }

    private static func compress(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
        let bytes = Array(block)
        var words = (0..<16).map { index in bytes[index * 4..<index * 4 + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        for index in 16..<80 { words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1)) }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let (function, constant): (UInt32, UInt32) =
                switch index {
                case 0..<20: ((b & c) | (~b & d), 0x5A82_7999)
                case 20..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case 40..<60: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = rotate(a, 5) &+ function &+ e &+ constant &+ words[index]
            (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
        }
        for (index, word) in [a, b, c, d, e].enumerated() { state[index] = state[index] &+ word }
    }

    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
}
