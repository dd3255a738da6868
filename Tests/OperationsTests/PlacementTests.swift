import APISchema
import AccessPolicy
import Addressing
import HostModel
import NetworkModel
import Operations
import TestSupport
import Testing

/// Where members are, who of them is preferred, and what happens when an agent is disabled.
@Suite struct PlacementTests {
    private func hosts(_ cloud: Cloud, _ names: [String] = ["h1", "h2", "h3"]) async throws {
        for name in names { try await cloud.report(name) }
    }

    @Test("Priorities fall in steps of four from 254, and one that joins a full group is last")
    func priorities() async throws {
        let cloud = try Cloud { $0.maximumL3AgentsPerRouter = 0 }
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        #expect(try await cloud.priorities(of: router).values.sorted() == [246, 250, 254])
        let before = try await cloud.hosts(of: router)
        try await cloud.report("h4")
        #expect(try await cloud.hosts(of: router) == before + ["h4"])
        #expect(try await cloud.priorities(of: router)["h4"] == 242)
    }

    @Test("Masters are spread over the hosts: of twelve routers on four hosts, each is preferred three times", arguments: Backend.allCases)
    func masters(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.defaultQuotas["router"] = -1 }
        try await hosts(cloud, ["h1", "h2", "h3", "h4"])
        var preferred: [String: Int] = [:]
        for _ in 0..<12 {
            let router = try await cloud.router(["ha": true])
            preferred[try #require(try await cloud.hosts(of: router).first), default: 0] += 1
        }
        #expect(preferred == ["h1": 3, "h2": 3, "h3": 3, "h4": 3])
    }

    @Test("A thousand HA routers of one project share one network, all ACTIVE, with groups that repeat evenly")
    func thousand() async throws {
        let cloud = try Cloud { $0.defaultQuotas["router"] = -1 }
        try await hosts(cloud)
        var groups: [Int: Int] = [:]
        for _ in 0..<1000 {
            let router = try await cloud.router(["ha": true])
            #expect(router.status == .active)
            groups[try #require(router.virtualRouterID), default: 0] += 1
        }
        #expect(groups.keys.allSatisfy { (1...254).contains($0) })
        #expect(groups.count == 254)
        #expect(Set(groups.values) == [3, 4])
        #expect(try await cloud.list(Network.self).count == 1)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 3000)
    }

    @Test("A port of the HA network is the router's: nobody deletes it through the API", arguments: Backend.allCases)
    func haPort(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        _ = try await cloud.router(["ha": true])
        let port = try #require(try await cloud.ports(ownedBy: DeviceOwner.haInterface).first)
        let error = try await apiError { try await cloud.delete(port) }
        #expect(error?.status == 409)
        #expect(error?.type == "ServicePortInUse")
        #expect(
            error?.message
                == "Port \(port.id) cannot be deleted directly via the port API: has device owner network:router_ha_interface.")
        let network = try #require(try await cloud.list(Network.self).first)
        #expect(try await apiError { try await cloud.delete(network) }?.type == "NetworkInUse")
    }

    // MARK: Zones

    @Test("The members of an HA router are spread over the zones, and so are the preferred masters", arguments: Backend.allCases)
    func zones(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.maximumL3AgentsPerRouter = 2 }
        for (host, zone) in [("h1", "a"), ("h2", "a"), ("h3", "a"), ("h4", "b")] { try await cloud.report(host, zone: zone) }
        for _ in 0..<6 {
            let router = try await cloud.router(["ha": true])
            #expect(router.availabilityZones == ["a", "b"])
            #expect(try await cloud.hosts(of: router).contains("h4"))
        }
    }

    @Test("A router is only in the zones that it asks for, and shows them", arguments: Backend.allCases)
    func hints(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for (host, zone) in [("h1", "a"), ("h2", "a"), ("h3", "b"), ("h4", nil)] { try await cloud.report(host, zone: zone) }
        let router = try await cloud.router(["ha": true, "availability_zone_hints": ["a"]])
        #expect(router.availabilityZoneHints == ["a"])
        #expect(Set(try await cloud.hosts(of: router)) == ["h1", "h2"])
        #expect(try await cloud.show(router).availabilityZones == ["a"])
        #expect(try await cloud.list(Router.self).map(\.availabilityZones) == [["a"]])
        let standalone = try await cloud.router(["availability_zone_hints": ["nova"]])
        #expect(try await cloud.hosts(of: standalone) == ["h4"])
        #expect(try await cloud.router(["availability_zone_hints": []]).availabilityZoneHints == [])
    }

    @Test("A zone that no enabled agent is in cannot be asked for", arguments: Backend.allCases)
    func unknownZone(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1", zone: "a")
        for body in [["availability_zone_hints": ["a", "z"]]] as [[String: JSONValue]] {
            let errors = [
                try await apiError { try await cloud.router(body) }, try await apiError { try await cloud.network(body) },
            ]
            for error in errors {
                #expect(error?.status == 404)
                #expect(error?.type == "AvailabilityZoneNotFound")
                #expect(error?.message == "AvailabilityZone z could not be found.")
            }
        }
        let long: JSONValue = .array((0..<3).map { .string(String(repeating: "\($0)", count: 100)) })
        let error = try await apiError { try await cloud.router(["availability_zone_hints": long]) }
        #expect(error?.message == "Invalid input for operation: Too many availability_zone_hints specified.")
        #expect(error?.status == 400)
    }

    @Test("A network's DHCP is in the zones that it asks for", arguments: Backend.allCases)
    func networkZones(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for (host, zone) in [("h1", "a"), ("h2", "b")] { try await cloud.report(host, zone: zone) }
        let network = try await cloud.network(["availability_zone_hints": ["b"]])
        #expect(network.availabilityZones == [])
        _ = try await cloud.subnet(on: network)
        #expect(try await cloud.show(network).availabilityZones == ["b"])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ["h2"])
    }

    @Test("The zones are those of the agents, available while one of them is enabled", arguments: Backend.allCases)
    func zoneList(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for (host, zone) in [("h1", "a"), ("h2", "a"), ("h3", nil)] { try await cloud.report(host, zone: zone) }
        func list() async throws -> [String] {
            try await cloud.operations.availabilityZones(caller: Caller(projectID: "p2", isAdmin: false)).map {
                "\($0.name) \($0.resource) \($0.state)"
            }
        }
        #expect(try await list() == ["a network available", "a router available", "nova network available", "nova router available"])
        try await cloud.enable(.l3, on: "h1", false)
        try await cloud.enable(.l3, on: "h3", false)
        #expect(try await list() == ["a network available", "a router available", "nova network available", "nova router unavailable"])
        #expect(try await cloud.agent(.l3, on: "h1").availabilityZone == "a")
        #expect(try await cloud.agent(.linuxBridge, on: "h1").availabilityZone == nil)
        try await cloud.report("h1", zone: "c")
        #expect(try await cloud.agent(.dhcp, on: "h1").availabilityZone == "c")
        #expect(try await cloud.agent(.l3, on: "h1").isAdminStateUp == false, "a report enables no agent")
    }

    // MARK: Drain

    @Test("A disabled L3 agent's members come last in their groups and stay, and are told to drain", arguments: Backend.allCases)
    func drainMembers(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        var routers: [Router] = []
        for _ in 0..<3 { routers.append(try await cloud.router(["ha": true])) }
        let before = try await cloud.hosts(of: routers[0])
        let drained = before[0]
        try await cloud.report(drained, routers: [.init(routerID: routers[0].id, state: .active)])
        try await cloud.enable(.l3, on: drained, false)
        #expect(try await cloud.hosts(of: routers[0]) == Array(before.dropFirst()) + [drained])
        for router in routers {
            #expect(try await cloud.hosts(of: router).last == drained)
            #expect(try await cloud.priorities(of: router).values.sorted() == [246, 250, 254])
        }
        #expect(try await cloud.states(of: routers[0])[drained] == .active, "a change of priority moves no master")
        // Nothing new goes there, and what returns preempts nobody.
        try await cloud.report("h4")
        let other = try await cloud.router(["ha": true])
        #expect(Set(try await cloud.hosts(of: other)) == Set(["h1", "h2", "h3", "h4"].filter { $0 != drained }))
        let drainedOrder = try await cloud.hosts(of: routers[0])
        try await cloud.enable(.l3, on: drained, true)
        #expect(try await cloud.hosts(of: routers[0]) == drainedOrder)
        #expect(try await cloud.hosts(of: try await cloud.router(["ha": true])).contains(drained))
    }

    @Test(
        "When the last host of a rack is drained, its routers get members elsewhere first, and lose those that drained when one is master",
        arguments: Backend.allCases)
    func drainRack(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let rack = ["h1", "h2", "h3"]
        try await hosts(cloud, rack)
        let router = try await cloud.router(["ha": true])
        try await hosts(cloud, ["h4", "h5", "h6", "h7"])
        let others: Set<String> = ["h4", "h5", "h6", "h7"]
        let master = try await cloud.hosts(of: router)[0]
        try await cloud.report(master, routers: [.init(routerID: router.id, state: .active)])
        for host in rack where host != master { try await cloud.enable(.l3, on: host, false) }
        #expect(Set(try await cloud.hosts(of: router)) == Set(rack), "the master's host is left, and the others stay as backups")
        try await cloud.enable(.l3, on: master, false)
        let hosts = try await cloud.hosts(of: router)
        #expect(hosts.count == 6 && Set(hosts.prefix(3)).isSubset(of: others), "the new ones come first: \(hosts)")
        #expect(Set(hosts.suffix(3)) == Set(rack))
        #expect(try await cloud.priorities(of: router)[hosts[0]] == 254)
        #expect(try await cloud.states(of: router)[master] == .active, "nothing is taken before something is there")
        var progress = MaintenanceProgress(holder: "s1")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        // The handover.
        try await cloud.report(hosts[0], routers: [.init(routerID: router.id, state: .active)])
        try await cloud.report(master, routers: [.init(routerID: router.id, state: .standby)])
        #expect(try await cloud.operations.duties(ofHost: master, caller: cloud.admin).isFree)
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
        #expect(try await cloud.hosts(of: router) == Array(hosts.prefix(3)))
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 3)
        for host in rack { try await cloud.enable(.l3, on: host, true) }
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(try await cloud.hosts(of: router) == Array(hosts.prefix(3)), "nothing returns")
    }

    @Test(
        "A drain of all members that ends before anybody has taken over leaves the master, and no more members than before",
        arguments: Backend.allCases)
    func abortedDrain(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let rack = ["h1", "h2", "h3"]
        try await hosts(cloud, rack)
        let router = try await cloud.router(["ha": true])
        try await hosts(cloud, ["h4", "h5", "h6"])
        let master = try await cloud.hosts(of: router)[0]
        try await cloud.report(master, routers: [.init(routerID: router.id, state: .active)])
        for host in rack { try await cloud.enable(.l3, on: host, false) }
        #expect(try await cloud.hosts(of: router).count == 6)
        // The master's host is the last one to return.
        for host in rack where host != master { try await cloud.enable(.l3, on: host, true) }
        #expect(try await cloud.hosts(of: router).count == 6, "the master still drains")
        try await cloud.enable(.l3, on: master, true)
        let left = try await cloud.hosts(of: router)
        #expect(left.count == 3 && left.contains(master))
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 3)
        var progress = MaintenanceProgress(holder: "s1")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
    }

    @Test(
        "A host that comes free later takes the routers of a drained rack, and no more members go than others stand in for",
        arguments: Backend.allCases)
    func lateHost(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let rack = ["h1", "h2", "h3"]
        try await hosts(cloud, rack)
        let router = try await cloud.router(["ha": true])
        let master = try await cloud.hosts(of: router)[0]
        try await cloud.report(master, routers: [.init(routerID: router.id, state: .active)])
        for host in rack { try await cloud.enable(.l3, on: host, false) }
        var progress = MaintenanceProgress(holder: "s1")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0, "there is nobody else")
        #expect(Set(try await cloud.hosts(of: router)) == Set(rack))
        try await cloud.report("h4")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
        #expect(try await cloud.hosts(of: router).first == "h4")
        #expect(try await cloud.hosts(of: router).count == 4)
        try await cloud.report("h4", routers: [.init(routerID: router.id, state: .active)])
        try await cloud.report(master, routers: [.init(routerID: router.id, state: .standby)])
        // One stands in for one. The host whose drain ends keeps its membership, since another one still drains.
        let last = try #require(try await cloud.hosts(of: router).last)
        try await cloud.enable(.l3, on: last, true)
        let left = try await cloud.hosts(of: router)
        #expect(left.count == 3 && Array(left.prefix(2)) == ["h4", last])
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(try await cloud.hosts(of: router) == left)
    }

    @Test("A drained host hands over to new members also when the only enabled one is dead", arguments: Backend.allCases)
    func drainBesideDead(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        try await cloud.enable(.l3, on: "h1", false)
        try await cloud.enable(.l3, on: "h2", false)
        cloud.clock.advance(seconds: 76)
        try await hosts(cloud, ["h1", "h2", "h4"])
        #expect(Set(try await cloud.hosts(of: router)) == ["h1", "h2", "h3"])
        var progress = MaintenanceProgress(holder: "s1")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0, "a server that just started waits")
        progress.trustsSilence = true
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
        #expect(Set(try await cloud.hosts(of: router)) == ["h1", "h2", "h3", "h4"])
    }

    @Test("Standalone routers leave a disabled agent with their ports, and stay where there is no other", arguments: Backend.allCases)
    func drainStandalone(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let router = try await cloud.router()
        let interface = try await cloud.attach(try await cloud.subnet(on: try await cloud.network()), to: router)
        try await cloud.enable(.l3, on: "h1", false)
        #expect(try await cloud.hosts(of: router) == ["h1"])
        try await cloud.report("h2")
        try await cloud.enable(.l3, on: "h1", true)
        try await cloud.enable(.l3, on: "h1", false)
        #expect(try await cloud.hosts(of: router) == ["h2"])
        let port = try await cloud.operations.show(Port.self, interface.portID.description, caller: cloud.admin)
        #expect(port.hostID == "h2")
    }

    @Test("A disabled DHCP agent's networks go to another one, with the address of their server", arguments: Backend.allCases)
    func drainDHCP(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud, ["h1", "h2"])
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let before = try #require(try await cloud.ports(ownedBy: DeviceOwner.dhcp).first)
        try await cloud.enable(.dhcp, on: before.hostID, false)
        let ports = try await cloud.ports(ownedBy: DeviceOwner.dhcp)
        #expect(ports.map(\.hostID) == [before.hostID == "h1" ? "h2" : "h1"])
        #expect(ports.map(\.id) == [before.id])
        #expect(ports.map(\.fixedIPs) == [before.fixedIPs])
        #expect(ports.first?.deviceID != before.deviceID)
        #expect(
            try await cloud.operations.agents(ofNetwork: network.id.description, caller: cloud.admin).map(\.hostID) == ports.map(\.hostID))
        // There is no other any more: the service stays.
        try await cloud.enable(.dhcp, on: ports[0].hostID, false)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ports.map(\.hostID))
    }

    @Test("A host's duties tell when it can be stopped", arguments: Backend.allCases)
    func duties(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        _ = try await cloud.subnet(on: try await cloud.network())
        _ = try await cloud.router()
        let router = try await cloud.router(["ha": true])
        try await cloud.report("h1", routers: [.init(routerID: router.id, state: .active)])
        var duties = try await cloud.operations.duties(ofHost: "h1", caller: cloud.admin)
        #expect(duties.masteredRouters == 1 && duties.standaloneRouters == 1 && duties.servedNetworks == 1 && duties.memberships == 1)
        #expect(!duties.isFree)
        try await cloud.report("h2")
        for type in [AgentType.l3, .dhcp] { try await cloud.enable(type, on: "h1", false) }
        try await cloud.report("h1", routers: [.init(routerID: router.id, state: .standby)])
        duties = try await cloud.operations.duties(ofHost: "h1", caller: cloud.admin)
        #expect(duties.isFree && duties.memberships == 1)
    }
}
