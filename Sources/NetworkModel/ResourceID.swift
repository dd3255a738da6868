/// The identity of a resource: a UUID, written in lower case with hyphens as OpenStack does.
public struct ResourceID: Hashable, Sendable, Comparable {
    public let rawValue: UInt128

    public init(rawValue: UInt128) { self.rawValue = rawValue }

    /// A random (version 4) identity, RFC 9562 section 5.4.
    public init(using generator: inout some RandomNumberGenerator) {
        let high = generator.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        rawValue = UInt128(high) << 64 | UInt128(low)
    }

    /// Parses 32 hexadecimal digits with hyphens in the usual places, in either case.
    public init?(_ text: some StringProtocol) { self.init(String(text)) }

    /// Parses 32 hexadecimal digits with hyphens in the usual places, in either case. Lists parse many: not generic, and on bytes.
    public init?(_ text: String) {
        var text = text
        guard let value = text.withUTF8({ Self.parse($0) }) else { return nil }
        rawValue = value
    }

    /// The same of bytes in the middle of a text.
    public init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard let value = Self.parse(bytes) else { return nil }
        rawValue = value
    }

    private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt128? {
        guard bytes.count == 36 else { return nil }
        var high: UInt64 = 0
        // After 16 digits, at the third hyphen, what was collected is the upper half.
        var value: UInt64 = 0
        for position in 0..<36 {
            let byte = bytes[position]
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                if position == 18 { high = value }
                continue
            }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt64(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return UInt128(high) << 64 | UInt128(value)
    }

    /// The first eleven characters: what Neutron puts behind `tap`, `brq`, `qr-`… so that device names fit 15 characters.
    public var devicePart: String { String(description.prefix(11)) }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension ResourceID: CustomStringConvertible {
    public var description: String {
        let digits: StaticString = "0123456789abcdef"
        let halves = (high: UInt64(truncatingIfNeeded: rawValue >> 64), low: UInt64(truncatingIfNeeded: rawValue))
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let half = nibble < 16 ? halves.high : halves.low
                let value = Int(truncatingIfNeeded: half >> UInt64(60 - 4 * (nibble & 15)) & 15)
                buffer[position] = digits.utf8Start[value]
                position += 1
            }
            return 36
        }
    }
}

extension ResourceID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = ResourceID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a UUID")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
