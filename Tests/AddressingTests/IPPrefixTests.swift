import Addressing
import Testing

@Suite("Prefixes")
struct IPPrefixTests {
    @Test(
        "Host bits are cleared, and first and last address are the ends of the prefix",
        arguments: [
            ("10.1.2.3/24", "10.1.2.0/24", "10.1.2.255"), ("10.1.2.3/0", "0.0.0.0/0", "255.255.255.255"),
            ("10.1.2.3/32", "10.1.2.3/32", "10.1.2.3"), ("10.1.2.3/31", "10.1.2.2/31", "10.1.2.3"),
            ("10.1.2.3/1", "0.0.0.0/1", "127.255.255.255"),
            ("169.254.192.7/18", "169.254.192.0/18", "169.254.255.255"),
            ("2001:db8::7/64", "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff"),
            ("2001:db8::7/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("2001:db8::7/128", "2001:db8::7/128", "2001:db8::7"),
            ("fe80::1/10", "fe80::/10", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func masks(text: String, canonical: String, last: String) throws {
        let prefix = try #require(IPPrefix(text))
        #expect(prefix.description == canonical)
        #expect(prefix.last == IPAddress(last))
        #expect(IPPrefix(canonical) == prefix)
    }

    @Test("A lone address is a host prefix")
    func loneAddress() {
        #expect(IPPrefix("192.0.2.1")?.description == "192.0.2.1/32")
        #expect(IPPrefix("2001:db8::1")?.description == "2001:db8::1/128")
    }

    @Test(
        "A text that is no prefix is refused",
        arguments: [
            "", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/024", "10.0.0.0/24/24",
            "10.0.0.0/255.255.255.0", "10.0.0/24", "::/129", "::/1000", "::/99999999999999999999", "10.0.0.0 /24", "10.0.0.0/24 ",
            "10.0.0.0/٢",
        ])
    func refuses(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test("A length that does not fit the family gives no prefix")
    func lengthMustFit() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        #expect(IPPrefix(masking: address, length: 33) == nil)
        #expect(IPPrefix(masking: address, length: -1) == nil)
        #expect(IPPrefix(masking: address, length: 32) != nil)
    }

    @Test("A prefix contains its ends, and no address outside or of the other family")
    func containsAddresses() throws {
        let prefix = try #require(IPPrefix("10.0.1.0/24"))
        for text in ["10.0.1.0", "10.0.1.77", "10.0.1.255"] { #expect(try prefix.contains(address(text))) }
        for text in ["10.0.0.255", "10.0.2.0", "::10.0.1.1", "::"] { #expect(try !prefix.contains(address(text))) }
        let everything = try #require(IPPrefix("::/0"))
        #expect(try everything.contains(address("ffff::1")))
        #expect(try !everything.contains(address("10.0.0.1")))
    }

    @Test(
        "Prefixes overlap exactly when one contains the other",
        arguments: [
            ("10.0.0.0/8", "10.1.0.0/16", true, false), ("10.0.0.0/24", "10.0.0.0/24", true, true),
            ("10.0.0.0/24", "10.0.1.0/24", false, false),
            ("0.0.0.0/0", "10.0.0.0/32", true, false), ("0.0.0.0/0", "::/0", false, false),
            ("2001:db8::/32", "2001:db8:ffff::/48", true, false),
        ])
    func overlaps(outer: String, inner: String, overlap: Bool, isContainedBack: Bool) throws {
        let outer = try #require(IPPrefix(outer))
        let inner = try #require(IPPrefix(inner))
        #expect(outer.overlaps(inner) == overlap)
        #expect(inner.overlaps(outer) == overlap)
        #expect(outer.contains(inner) == overlap)
        #expect(inner.contains(outer) == isContainedBack)
    }

    @Test("Addresses are counted from the network address and end with the prefix")
    func subscripts() throws {
        let prefix = try #require(IPPrefix("10.0.0.0/30"))
        #expect(prefix[0] == IPAddress("10.0.0.0"))
        #expect(prefix[3] == IPAddress("10.0.0.3"))
        #expect(prefix[4] == nil)
        #expect(prefix[-1] == nil)
        #expect(IPPrefix("255.255.255.255/32")?[1] == nil)
    }

    @Test("Prefixes sort by address, then the wider first")
    func sorts() {
        let sorted = ["10.0.0.0/24", "::/0", "10.0.0.0/8", "9.0.0.0/8"].compactMap { IPPrefix($0) }.sorted().map(\.description)
        #expect(sorted == ["9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/24", "::/0"])
    }
}

@Suite("Addresses of interfaces")
struct InterfaceAddressTests {
    @Test("The host bits stay, and the prefix is what the interface is attached to")
    func keepsHostBits() throws {
        let address = try #require(InterfaceAddress("10.0.0.5/24"))
        #expect(address.description == "10.0.0.5/24")
        #expect(address.prefix == IPPrefix("10.0.0.0/24"))
        #expect(InterfaceAddress("fe80::1/64")?.prefix.description == "fe80::/64")
        #expect(InterfaceAddress("10.0.0.5/0")?.prefix.description == "0.0.0.0/0")
    }

    @Test(
        "The length must be written, plain, and fit the family",
        arguments: [
            "", "10.0.0.5", "10.0.0.5/", "10.0.0.5/33", "10.0.0.5/-0", "10.0.0.5/+24", "10.0.0.5/024", "::1/129", "10.0.0.5/24/24", "/24",
        ])
    func refuses(text: String) {
        #expect(InterfaceAddress(text) == nil)
    }

    @Test("Addresses of interfaces sort by address, then length")
    func sorts() {
        let sorted = ["10.0.0.2/8", "10.0.0.1/24", "10.0.0.1/16"].compactMap { InterfaceAddress($0) }.sorted().map(\.description)
        #expect(sorted == ["10.0.0.1/16", "10.0.0.1/24", "10.0.0.2/8"])
    }
}
