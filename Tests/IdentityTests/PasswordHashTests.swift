import Testing

@testable import Identity

@Suite("Password hashes") struct PasswordHashTests {
    private static let cheap = PasswordHash.Cost(logarithm: 4, blockSize: 8, parallelism: 1)

    /// RFC 7914, section 12; the keys there have 64 bytes.
    @Test("scrypt gives the key of RFC 7914") func vector() throws {
        let hexadecimal = """
            fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640
            """
        let digits = Array(hexadecimal)
        let key = stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
        let text = "$scrypt$ln=10,r=8,p=16$\(Base64.encode(Array("NaCl".utf8), .usual))$\(Base64.encode(key, .usual))"
        let hash = try #require(PasswordHash(text))
        #expect(hash.matches("password"))
        #expect(!hash.matches("passwort") && !hash.matches(""))
        #expect(hash.description == text)
    }

    @Test("A hash matches its password only, before and after it was stored") func roundTrip() throws {
        let hash = PasswordHash(of: "Grüße, 密码", salt: Array(0..<16), cost: Self.cheap)
        let stored = try #require(PasswordHash(hash.description))
        #expect(stored == hash)
        #expect(stored.matches("Grüße, 密码") && !stored.matches("Grüße, 密"))
        #expect(PasswordHash(of: "Grüße, 密码", salt: Array(1..<17), cost: Self.cheap).key != hash.key)
    }

    @Test("The usual cost takes 32 MiB") func usualCost() {
        let cost = PasswordHash.Cost.standard
        #expect(128 * cost.blockSize << cost.logarithm == 32 << 20)
    }

    @Test(
        "What is no hash, or would take any amount of memory, is refused",
        arguments: [
            "", "secret", "$2b$12$abcdefghijklmnopqrstuv", "$scrypt$ln=40,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=4,r=900,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA", "$scrypt$ln=4,r=8,p=1$AAAA$AAAA",
            "$scrypt$ln=4,r=8$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=4,r=8,p=1$$AAAAAAAAAAAAAAAAAAAAAA", "$scrypt$ln=4,r=8,p=1$AA AA$AAAAAAAAAAAAAAAAAAAAAA",
        ])
    func refused(_ text: String) { #expect(PasswordHash(text) == nil) }

    /// RFC 4648, section 10, without padding.
    @Test(
        "Base64 is that of RFC 4648",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
        ])
    func base64(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8), .usual) == encoded)
        #expect(Base64.decode(encoded, .urlSafe) == Array(plain.utf8))
    }

    @Test("Base64 has one text for each value") func base64Strict() {
        #expect(Base64.encode([0xFB, 0xFF], .urlSafe) == "-_8" && Base64.encode([0xFB, 0xFF], .usual) == "+/8")
        // Bits behind the last byte, another alphabet, padding, an impossible length.
        for text in ["Zh", "+/8", "Zg==", "Z", "Zm9vY"] { #expect(Base64.decode(text, .urlSafe) == nil, "\(text)") }
    }
}
