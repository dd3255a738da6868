import Addressing
import NetworkModel
import Testing

@Suite("Names of ports") struct PortNameTests {
    @Test(
        "An address without a name is called after its digits",
        arguments: [("10.0.0.255", "host-10-0-0-255"), ("2001:db8::5", "host-2001-db8--5")])
    func host(_ address: String, _ name: String) throws {
        #expect(PortName.host(for: try #require(IPAddress(address))) == name)
    }
}
