import Addressing
import Testing

@Suite("IPv4 addresses")
struct IPv4AddressTests {
    @Test(
        "Four decimal octets are read, most significant first",
        arguments: [
            ("0.0.0.0", 0), ("0.0.0.1", 1), ("10.0.0.1", 0x0A00_0001), ("192.168.255.7", 0xC0A8_FF07), ("255.255.255.255", 0xFFFF_FFFF),
        ] as [(String, UInt32)])
    func parses(text: String, number: UInt32) {
        #expect(IPv4Address(text)?.rawValue == number)
        #expect(IPv4Address(rawValue: number).description == text)
    }

    @Test(
        "A text that is not four plain octets is refused",
        arguments: [
            "", ".", "1", "1.2", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.", "1.2.3.4.5", "1..3.4", "256.1.1.1", "1.1.1.256", "1.2.3.1000",
            "99999999999.1.1.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/24", "+1.2.3.4", "-1.2.3.4", "1.2.3.0x4", "a.b.c.d", "１.2.3.4", "::1",
        ])
    func refuses(text: String) {
        #expect(IPv4Address(text) == nil)
    }

    @Test(
        "Leading zeros are refused, since some readers take them for octal",
        arguments: ["010.0.0.1", "10.0.0.01", "10.00.0.1", "000.0.0.0"])
    func refusesLeadingZeros(text: String) {
        #expect(IPv4Address(text) == nil)
    }

    @Test("Octets are in network order")
    func octets() {
        #expect(IPv4Address(10, 20, 30, 40).octets == [10, 20, 30, 40])
        #expect(IPv4Address(10, 20, 30, 40).description == "10.20.30.40")
    }

    @Test("Addresses sort by number, not by text")
    func sorts() {
        let texts = ["10.0.0.10", "10.0.0.9", "9.255.255.255", "192.0.2.1"]
        let sorted = texts.compactMap { IPv4Address($0) }.sorted().map(\.description)
        #expect(sorted == ["9.255.255.255", "10.0.0.9", "10.0.0.10", "192.0.2.1"])
    }

    @Test("A part of a longer text can be read without copying it")
    func readsSubstrings() {
        #expect(IPv4Address("10.0.0.1/24".prefix(8)) == IPv4Address(10, 0, 0, 1))
    }
}
