import APISchema
import AccessPolicy
import Addressing
import HostModel
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct HighAvailabilityTests {
    private func hosts(_ cloud: Cloud, _ names: [String] = ["h1", "h2", "h3"]) async throws {
        for name in names { try await cloud.report(name) }
    }

    @Test("An HA router has three members on the project's hidden network, and takes that along when it goes", arguments: Backend.allCases)
    func members(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud, ["h1", "h2", "h3", "h4"])
        let router = try await cloud.router(["ha": true])
        #expect((1...254).contains(try #require(router.virtualRouterID)))
        let network = try #require(try await cloud.list(Network.self).first)
        #expect(network.name == "HA network tenant p1")
        #expect(network.projectID == "")
        #expect(network.haProjectID == "p1")
        let subnet = try #require(try await cloud.list(Subnet.self).first)
        #expect(subnet.name == "HA subnet tenant p1")
        #expect(subnet.prefix.description == "169.254.192.0/18")
        #expect(subnet.gatewayAddress == nil)
        #expect(!subnet.isDHCPEnabled)
        let ports = try await cloud.ports(ownedBy: DeviceOwner.haInterface)
        #expect(ports.count == 3)
        #expect(Set(ports.map(\.hostID)).count == 3)
        #expect(Set(ports.map(\.name)) == ["HA port tenant p1"])
        #expect(Set(ports.map(\.deviceID)) == [router.id.description])
        #expect(Set(ports.map(\.vifType)) == ["bridge"])
        #expect(Set(ports.flatMap(\.fixedIPs).map(\.address)).count == 3)
        let agents = try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin)
        #expect(agents.map(\.state) == [.standby, .standby, .standby])
        try await cloud.delete(router)
        #expect(try await cloud.list(Network.self).isEmpty)
        #expect(try await cloud.list(Port.self).isEmpty)
    }

    @Test("HA routers of one project created at once share one HA network", arguments: Backend.allCases)
    func concurrent(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let routers = try await withThrowingTaskGroup(of: Router.self) { group in
            for _ in 0..<6 { group.addTask { try await cloud.router(["ha": true]) } }
            return try await group.reduce(into: [Router]()) { $0.append($1) }
        }
        #expect(routers.allSatisfy { $0.virtualRouterID != nil })
        #expect(try await cloud.list(Network.self).count == 1)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 18)
        try await cloud.delete(routers[0])
        #expect(try await cloud.list(Network.self).count == 1)
    }

    @Test("The preferred masters of three routers are on three hosts")
    func spread() async throws {
        let cloud = try Cloud()
        try await hosts(cloud)
        var preferred: [String] = []
        for _ in 0..<3 {
            let router = try await cloud.router(["ha": true])
            preferred += try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin).prefix(1).map(
                \.agent.hostID)
        }
        #expect(Set(preferred) == ["h1", "h2", "h3"])
    }

    @Test("Members are added as hosts register, up to three")
    func growing() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let router = try await cloud.router(["ha": true])
        for (host, count) in [("h1", 1), ("h2", 2), ("h3", 3), ("h4", 3)] {
            try await cloud.report(host)
            #expect(try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin).count == count)
        }
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 3)
    }

    @Test("The router's ports are bound to the host of the VRRP master, and the API says who that is", arguments: Backend.allCases)
    func failover(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let subnet = try await cloud.subnet(on: try await cloud.network())
        let (external, _) = try await cloud.externalNetwork()
        let router = try await cloud.router(["ha": true, "external_gateway_info": ["network_id": .string(external.id.description)]])
        _ = try await cloud.attach(subnet, to: router)
        func routerHosts() async throws -> Set<String> {
            Set(
                try await cloud.list(Port.self).filter {
                    ["network:ha_router_replicated_interface", "network:router_gateway"].contains($0.deviceOwner)
                }.map(\.hostID))
        }
        func states() async throws -> [String: HAState?] {
            let agents = try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin)
            return Dictionary(uniqueKeysWithValues: agents.map { ($0.agent.hostID, $0.state) })
        }
        #expect(try await routerHosts() == [""])
        try await cloud.report("h2", routers: [.init(routerID: router.id, state: .active)])
        #expect(try await routerHosts() == ["h2"])
        #expect(try await states() == ["h1": .standby, "h2": .active, "h3": .standby])
        // h2 is cut off: h3 takes over before anybody hears of h2 again.
        try await cloud.report("h3", routers: [.init(routerID: router.id, state: .active)])
        #expect(try await routerHosts() == ["h3"])
        #expect(try await states() == ["h1": .standby, "h2": .unknown, "h3": .active])
        try await cloud.report("h2", routers: [.init(routerID: router.id, state: .standby)])
        #expect(try await states() == ["h1": .standby, "h2": .standby, "h3": .active])
        // h1 is master of its part of a split network; when the parts meet, it gives way, and h3 never had to say anything.
        try await cloud.report("h1", routers: [.init(routerID: router.id, state: .active)])
        #expect(try await states() == ["h1": .active, "h2": .standby, "h3": .unknown])
        try await cloud.report("h1", routers: [.init(routerID: router.id, state: .standby)])
        #expect(try await states() == ["h1": .standby, "h2": .standby, "h3": .active])
        #expect(try await routerHosts() == ["h3"])
        cloud.clock.advance(seconds: 76)
        try await cloud.report("h3")
        #expect(try await states() == ["h1": .unknown, "h2": .unknown, "h3": .active])
    }

    @Test("A router is converted while it is down, and only then")
    func conversion() async throws {
        let cloud = try Cloud()
        try await hosts(cloud)
        let subnet = try await cloud.subnet(on: try await cloud.network())
        let router = try await cloud.router()
        _ = try await cloud.attach(subnet, to: router)
        let error = try await apiError { try await cloud.update(router, ["ha": true]) }
        #expect(
            error?.message
                == "Bad router request: Cannot change HA attribute of active routers. Please set router admin_state_up to False prior to upgrade."
        )
        let ha = try await cloud.update(router, ["ha": true, "admin_state_up": false])
        #expect(ha.isHighlyAvailable)
        #expect(ha.virtualRouterID != nil)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haReplicatedInterface).count == 1)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 3)
        let standalone = try await cloud.update(ha, ["ha": false])
        #expect(standalone.virtualRouterID == nil)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).isEmpty)
        #expect(try await cloud.list(Network.self).count == 1)
        #expect(try await cloud.operations.agents(ofRouter: router.id.description, caller: cloud.admin).count == 1)
    }
}
