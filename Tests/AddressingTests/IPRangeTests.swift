import Addressing
import Testing

@Suite("Ranges")
struct IPRangeTests {
    @Test("A range is of one family and in order")
    func checks() throws {
        let low = try #require(IPAddress("10.0.0.2"))
        let high = try #require(IPAddress("10.0.0.9"))
        let other = try #require(IPAddress("2001:db8::1"))
        #expect(IPRange(high, low) == nil)
        #expect(IPRange(low, other) == nil)
        #expect(IPRange(low, low)?.count == 1)
        #expect(try range("10.0.0.2", "10.0.0.9").description == "10.0.0.2-10.0.0.9")
    }

    @Test("A range counts both of its ends")
    func counts() throws {
        #expect(try range("10.0.0.2", "10.0.0.254").count == 253)
        #expect(try range("0.0.0.0", "255.255.255.255").count == 0x1_0000_0000)
        #expect(try range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").count == UInt128.max)
    }

    @Test("A range contains its ends and nothing of the other family")
    func contains() throws {
        let pool = try range("10.0.0.2", "10.0.0.9")
        for text in ["10.0.0.2", "10.0.0.5", "10.0.0.9"] { #expect(try pool.contains(address(text))) }
        for text in ["10.0.0.1", "10.0.0.10", "::10.0.0.5"] { #expect(try !pool.contains(address(text))) }
    }

    @Test("Ranges overlap when they share one address")
    func overlaps() throws {
        let pool = try range("10.0.0.2", "10.0.0.9")
        #expect(pool.overlaps(try range("10.0.0.9", "10.0.0.20")))
        #expect(pool.overlaps(try range("10.0.0.0", "10.0.0.2")))
        #expect(pool.overlaps(try range("10.0.0.4", "10.0.0.5")))
        #expect(!pool.overlaps(try range("10.0.0.10", "10.0.0.20")))
        #expect(!pool.overlaps(try range("::", "::ffff")))
    }

    @Test(
        "Removing an address leaves what is on its two sides",
        arguments: [
            ("10.0.0.5", ["10.0.0.2-10.0.0.4", "10.0.0.6-10.0.0.9"]), ("10.0.0.2", ["10.0.0.3-10.0.0.9"]),
            ("10.0.0.9", ["10.0.0.2-10.0.0.8"]),
            ("10.0.0.1", ["10.0.0.2-10.0.0.9"]), ("10.0.0.10", ["10.0.0.2-10.0.0.9"]), ("::10.0.0.5", ["10.0.0.2-10.0.0.9"]),
        ])
    func removes(text: String, left: [String]) throws {
        let pool = try range("10.0.0.2", "10.0.0.9")
        #expect(try pool.removing(address(text)).map(\.description) == left)
    }

    @Test("Removing the only address leaves nothing, at the ends of the families too")
    func removesAtEnds() throws {
        for text in ["10.0.0.5", "0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            #expect(try range(text, text).removing(address(text)) == [])
        }
        let everything = try range("0.0.0.0", "255.255.255.255")
        #expect(try everything.removing(address("0.0.0.0")).map(\.description) == ["0.0.0.1-255.255.255.255"])
        #expect(try everything.removing(address("255.255.255.255")).map(\.description) == ["0.0.0.0-255.255.255.254"])
    }
}
