import Addressing
import Election
import Glibc
import KernelInterface
import KernelLinux
import NetworkModel
import Testing

@testable import ElectionService

/// A host's bridge, a router's device and a stranger's, each in a namespace.
@Suite("Other owners of external addresses", .serialized, .enabled(if: isRoot, "needs root: it makes network namespaces"))
struct AddressGuardTests {
    private static let routerID = ResourceID(rawValue: 7)
    private static let ownMAC = MACAddress(rawValue: 0x02_00_00_00_00_01)
    private static let otherMAC = MACAddress(rawValue: 0x02_00_00_00_00_02)
    /// Of the router, with its prefix.
    private static let families = ["203.0.113.5/24", "2001:db8::5/64"]

    private static func plug(_ name: String, _ mac: MACAddress, host: NamespaceName, into inside: NamespaceName, _ kernel: LinuxKernel)
        throws
    {
        try kernel.perform(.addLink(Link(name: name, kind: .veth(peer: "eth0", peerNamespace: inside), bridge: "brq1"), host))
        try kernel.perform(.changeLink(Link(name: "eth0", kind: .veth(peer: name, peerNamespace: nil), mac: mac), inside))
    }

    /// Looks every second of a clock of its own, until the condition holds. The answers come in real time.
    private static func look(
        _ prober: inout AddressProber, _ external: ExternalAddress, _ now: inout Int, until condition: ([ResourceID: String]) -> Bool
    ) -> [ResourceID: String] {
        var found: [ResourceID: String] = [:]
        for _ in 0..<200 {
            found = prober.conflicts(of: [external], now: now)
            if condition(found) { return found }
            now += 1000
            _ = poll(nil, 0, 10)
        }
        return found
    }

    @Test(
        "A stranger that answers for a router's address is found, and gone when it gives the address up; the router itself is none",
        arguments: families)
    func stranger(_ text: String) throws {
        let address = try #require(InterfaceAddress(text))
        let external = ExternalAddress(routerID: Self.routerID, bridge: "brq1", address: address.address, mac: Self.ownMAC)
        let linkAddress = LinkAddress(link: "eth0", address: address)
        try TestNamespaces.with(3) { kernel, names in
            try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), names[0]))
            try Self.plug("tap1", Self.ownMAC, host: names[0], into: names[1], kernel)
            try Self.plug("tap2", Self.otherMAC, host: names[0], into: names[2], kernel)
            try kernel.perform(.addAddress(linkAddress, names[1]))
            try NamespaceRunner.run(in: names[0]) {
                var prober = try AddressProber()
                var now = 0
                #expect(Self.look(&prober, external, &now) { !$0.isEmpty }.isEmpty, "the router's own answers")

                try kernel.perform(.addAddress(linkAddress, names[2]))
                let found = Self.look(&prober, external, &now) { !$0.isEmpty }
                #expect(found[Self.routerID]?.contains(address.address.description) == true)
                #expect(found[Self.routerID]?.contains(Self.otherMAC.description) == true)

                // The bridge is made anew: its listener, too.
                try kernel.perform(.removeLink(name: "brq1", names[0]))
                try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), names[0]))
                #expect(Self.look(&prober, external, &now) { $0.isEmpty }.isEmpty)
                try kernel.perform(.changeLink(Link(name: "tap2", kind: .foreign, bridge: "brq1"), names[0]))
                #expect(!Self.look(&prober, external, &now) { !$0.isEmpty }.isEmpty)

                try kernel.perform(.removeAddress(linkAddress, names[2]))
                #expect(Self.look(&prober, external, &now) { $0.isEmpty }.isEmpty)
            }
        }
    }
}
