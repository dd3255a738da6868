/// Base64 without padding (RFC 4648): the usual alphabet for password hashes, the one that is safe in URLs for tokens.
enum Base64 {
    enum Alphabet {
        case usual, urlSafe

        var digits: StaticString {
            switch self {
            case .usual: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            case .urlSafe: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            }
        }

        func value(of digit: UInt8) -> UInt32? {
            switch digit {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
            case UInt8(ascii: "+") where self == .usual, UInt8(ascii: "-") where self == .urlSafe: 62
            case UInt8(ascii: "/") where self == .usual, UInt8(ascii: "_") where self == .urlSafe: 63
            default: nil
            }
        }
    }

    static func encode(_ bytes: [UInt8], _ alphabet: Alphabet) -> String {
        let digits = alphabet.digits.utf8Start
        return String(unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { buffer in
            var (count, bits, bitCount): (Int, UInt32, UInt32) = (0, 0, 0)
            for byte in bytes {
                bits = (bits << 8 | UInt32(byte)) & 0xFFFF
                bitCount += 8
                while bitCount >= 6 {
                    bitCount -= 6
                    buffer[count] = digits[Int(bits >> bitCount & 63)]
                    count += 1
                }
            }
            if bitCount > 0 {
                buffer[count] = digits[Int(bits << (6 - bitCount) & 63)]
                count += 1
            }
            return count
        }
    }

    /// Nil for other digits, an impossible length, or bits after the last byte: each value has one text.
    static func decode(_ text: some StringProtocol, _ alphabet: Alphabet) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count * 3 / 4)
        var (bits, bitCount): (UInt32, UInt32) = (0, 0)
        for digit in text.utf8 {
            guard let value = alphabet.value(of: digit) else { return nil }
            bits = (bits << 6 | value) & 0xFFFF
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
        }
        guard bitCount < 6, bits & (1 << bitCount - 1) == 0 else { return nil }
        return bytes
    }
}
