import FakeKernel
import KernelInterface
import Testing

@testable import Drivers

@Suite struct VLANTests {
    private let bridge = Link(name: "brq1", kind: .bridge, mac: mac(1), mtu: 1500)
    private let device = Link(
        name: "eth9.5", kind: .vlan(parent: "eth9", id: 5), mtu: 1500, bridge: "brq1", alias: "neutrino:vlan")

    private func host() -> HostConfiguration {
        var host = HostConfiguration()
        for link in [bridge, device, Link(name: "eth9", kind: .foreign)] { host.own.links[link.name] = link }
        return host
    }

    private func found(_ bench: Bench) throws -> Link? { try bench.kernel.links(in: nil).first { $0.name == "eth9.5" } }

    @Test("A VLAN device is made on an interface that is down, which is taken up, and goes when nobody wants it")
    func life() throws {
        let bench = Bench()
        try bench.plug(["eth9"])
        #expect(bench.reconciler.apply(host(), .full).isComplete)
        #expect(try found(bench)?.kind == device.kind)
        #expect(try bench.kernel.links(in: nil).first { $0.name == "eth9" }?.isUp == true)
        #expect(bench.reconciler.apply(host(), .full).performed == 0)
        #expect(bench.reconciler.apply(HostConfiguration(), .changed).isComplete)
        #expect(try found(bench) == nil)
        #expect(try bench.kernel.links(in: nil).contains { $0.name == "eth9" })
    }

    @Test("A VLAN device that Neutron left under the same name is taken over")
    func takenOver() throws {
        let bench = Bench()
        try bench.plug(["eth9"])
        try bench.kernel.somebodyElse(.addLink(Link(name: "eth9.5", kind: device.kind), nil))
        #expect(bench.reconciler.apply(host(), .full).isComplete)
        #expect(try found(bench)?.alias == "neutrino:vlan")
    }

    @Test("An interface that goes takes its VLAN devices along, and they come again with it")
    func parentReturns() throws {
        let bench = Bench()
        try bench.plug(["eth9"])
        _ = bench.reconciler.apply(host(), .full)
        try bench.kernel.somebodyElse(.removeLink(name: "eth9", nil))
        #expect(try found(bench) == nil)
        bench.reconciler.markLinksDirty(nil)
        #expect(!bench.reconciler.apply(host(), .changed).isComplete)
        try bench.plug(["eth9"])
        bench.reconciler.markLinksDirty(nil)
        #expect(bench.reconciler.apply(host(), .changed).isComplete)
        #expect(try found(bench)?.bridge == "brq1")
    }
}
