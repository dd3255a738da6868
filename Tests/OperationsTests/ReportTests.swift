import APISchema
import AccessPolicy
import Addressing
import HostModel
import NetworkModel
import Operations
import Store
import TestSupport
import Testing

@Suite struct ReportTests {
    @Test("A host shows three agents, alive until they are silent for too long", arguments: Backend.allCases)
    func agents(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let agents = try await cloud.list(Agent.self)
        #expect(Set(agents.map(\.type)) == Set(AgentType.allCases))
        #expect(agents.allSatisfy { $0.isAlive && $0.hostID == "h1" })
        let revision = try await cloud.operations.store.read { try $0.currentRevision }
        cloud.clock.advance(seconds: 75)
        try await cloud.report("h1")
        #expect(try await cloud.operations.store.read { try $0.currentRevision } == revision, "a heartbeat is no change")
        cloud.clock.advance(seconds: 76)
        #expect(try await cloud.list(Agent.self).allSatisfy { !$0.isAlive })
        try await cloud.report("h1")
        let again = try await cloud.list(Agent.self)
        #expect(again.allSatisfy { $0.isAlive })
        #expect(Set(again.map(\.id)) == Set(agents.map(\.id)))
        let l3 = try #require(again.first { $0.type == .l3 })
        let off = try await cloud.update(l3, ["admin_state_up": false, "description": "service"])
        #expect(!off.isAdminStateUp)
        #expect(off.isAlive)
        let router = try await cloud.router()
        #expect(try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin).isEmpty)
        _ = try await cloud.update(off, ["admin_state_up": true])
        #expect(try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin).count == 1)
        try await cloud.delete(l3)
        #expect(try await cloud.list(Agent.self).count == 2)
        #expect(try await apiError { try await cloud.show(l3) }?.message == "Agent \(l3.id) could not be found.")
    }

    @Test("Whether a host serves metadata is in its DHCP agent's configurations", arguments: Backend.allCases)
    func metadata(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for (said, shown) in [(false, "false"), (nil, "true"), (true, "true")] as [(Bool?, String)] {
            try await cloud.report("h1", servesMetadata: said)
            let configurations = try await cloud.agent(.dhcp, on: "h1").configurations
            #expect(configurations.contains("\"serves_metadata\":\(shown)"), "\(configurations)")
        }
    }

    @Test("A network with DHCP gets a port on a host, with the lowest free address", arguments: Backend.allCases)
    func dhcp(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let port = try #require(try await cloud.ports(ownedBy: DeviceOwner.dhcp).first)
        #expect(port.fixedIPs.map(\.address.description) == ["10.0.0.2"])
        #expect(port.hostID == "h1")
        #expect(port.projectID == "p1")
        #expect(port.deviceID.hasPrefix("dhcp"))
        #expect(port.deviceID.hasSuffix("-\(network.id)"))
        try await cloud.delete(port)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.deviceID) == [port.deviceID], "it is made anew")
        let second = try await cloud.subnet(on: network, "10.0.1.0/24")
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).first?.fixedIPs.map(\.address.description) == ["10.0.0.2", "10.0.1.2"])
        #expect(try await cloud.operations.agents(ofNetwork: network.id.description, caller: cloud.admin).map(\.hostID) == ["h1"])
        let agent = try #require(try await cloud.operations.agents(ofNetwork: network.id.description, caller: cloud.admin).first)
        #expect(try await cloud.operations.networks(ofAgent: agent.id.description, caller: cloud.admin).map(\.id) == [network.id])
        _ = try await cloud.update(subnet, ["enable_dhcp": false])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).first?.fixedIPs.map(\.address.description) == ["10.0.1.2"])
        try await cloud.delete(second)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).isEmpty)
        #expect(try await cloud.operations.agents(ofNetwork: network.id.description, caller: cloud.admin).isEmpty)
    }

    @Test("A network that was there before any host gets its DHCP when one registers")
    func lateHost() async throws {
        let cloud = try Cloud()
        _ = try await cloud.subnet(on: try await cloud.network())
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).isEmpty)
        try await cloud.report("h1")
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ["h1"])
        try await cloud.report("h2")
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ["h1"])
    }

    @Test(
        "A bound port is ACTIVE once its host has wired it and DHCP knows it, and DOWN when its device is lost", arguments: Backend.allCases
    )
    func readiness(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        try await cloud.report("h2")
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let dhcpHost = try #require(try await cloud.ports(ownedBy: DeviceOwner.dhcp).first?.hostID)
        let host = dhcpHost == "h1" ? "h2" : "h1"
        let port = try await cloud.port(on: network, ["binding:host_id": .string(host)])
        #expect(port.vifType == "bridge")
        #expect(port.status == .down)
        try await cloud.acknowledge(port, .l2, from: dhcpHost)
        try await cloud.acknowledge(port, .l2, from: host)
        #expect(try await cloud.show(port).status == .down)
        try await cloud.acknowledge(port, .dhcp, from: dhcpHost)
        let active = try await cloud.show(port)
        #expect(active.status == .active)
        #expect(active.standard.revisionNumber == port.standard.revisionNumber)
        try await cloud.acknowledge(port, .l2, from: host, .down)
        #expect(try await cloud.show(port).status == .down)
        try await cloud.acknowledge(port, .l2, from: host)
        #expect(try await cloud.show(port).status == .active)
        let off = try await cloud.update(port, ["admin_state_up": false])
        #expect(off.status == .down)
        try await cloud.acknowledge(off, .l2, from: host)
        #expect(try await cloud.show(port).status == .down)
        let unbound = try await cloud.update(port, ["binding:host_id": nil])
        #expect(unbound.vifType == "unbound")
        #expect(unbound.hostID == "")
    }

    @Test("A port on a host without agent fails to bind, and is bound when the agent comes")
    func bindingFailed() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let port = try await cloud.port(on: network, ["binding:host_id": "h9"])
        #expect(port.vifType == "binding_failed")
        try await cloud.report("h9")
        #expect(try await cloud.show(port).vifType == "bridge")
        try await cloud.acknowledge(try await cloud.show(port), .l2, from: "h9")
        #expect(try await cloud.show(port).status == .active)
        let elsewhere = try await cloud.network(["provider:network_type": "flat", "provider:physical_network": "physnet7"])
        #expect(try await cloud.port(on: elsewhere, ["binding:host_id": "h9"]).vifType == "binding_failed")
    }

    @Test("A report of an older revision does not make a port ACTIVE")
    func staleReport() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let port = try await cloud.port(on: try await cloud.network(), ["binding:host_id": "h1"])
        let renamed = try await cloud.update(port, ["name": "b"])
        try await cloud.acknowledge(port, .l2, from: "h1")
        #expect(try await cloud.show(port).status == .down)
        try await cloud.acknowledge(renamed, .l2, from: "h1")
        #expect(try await cloud.show(port).status == .active)
    }

    @Test("The ports of a router that was switched off are ACTIVE again when it is switched on", arguments: [true, false])
    func routerSwitched(_ isHighlyAvailable: Bool) async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let router = try await cloud.router(["ha": .bool(isHighlyAvailable)])
        let interface = try await cloud.attach(try await cloud.subnet(on: try await cloud.network()), to: router)
        try await cloud.report("h1", routers: [.init(routerID: router.id, state: .active)])
        for state in [HostStatus.PortReport.State.up, .down, .up] {
            // What the agent reports of a router's port: both components, in this order.
            for component in [HostStatus.Component.l2, .l3] {
                let port = try await cloud.operations.show(Port.self, interface.portID.description, caller: cloud.admin)
                try await cloud.acknowledge(port, component, from: "h1", state)
            }
            let port = try await cloud.operations.show(Port.self, interface.portID.description, caller: cloud.admin)
            #expect(port.status == (state == .up ? .active : .down))
        }
    }

    @Test("A router's ports are ACTIVE when a member has realised them")
    func routerPorts() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let subnet = try await cloud.subnet(on: try await cloud.network())
        let router = try await cloud.router(["ha": true])
        let interface = try await cloud.attach(subnet, to: router)
        let port = try await cloud.operations.show(Port.self, interface.portID.description, caller: cloud.admin)
        #expect(port.status == .down)
        try await cloud.acknowledge(port, .l3, from: "h1")
        #expect(try await cloud.show(port).status == .active)
        let own = try #require(try await cloud.ports(ownedBy: DeviceOwner.haInterface).first)
        try await cloud.acknowledge(own, .l3, from: "h1")
        #expect(try await cloud.show(own).status == .active)
    }

    @Test("What hosts must learn beside resources is in the change log")
    func changes() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let router = try await cloud.router()
        func kinds(after revision: Int) async throws -> Set<String> {
            try await cloud.operations.store.read {
                Set(try $0.changes(after: revision, limit: 1000).map { "\($0.kind) \($0.id) \($0.isDrop)" })
            }
        }
        let all = try await kinds(after: 0)
        #expect(all.isSuperset(of: ["hosts h1 false", "dhcp_bindings \(network.id)/h1 false", "router_members \(router.id)/h1 false"]))
        let revision = try await cloud.operations.store.read { try $0.currentRevision }
        try await cloud.delete(router)
        #expect(try await kinds(after: revision) == ["router_members \(router.id)/h1 true", "routers \(router.id) true"])
    }
}
