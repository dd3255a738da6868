import Addressing
import NetworkModel
import Testing

@testable import APISchema

@Suite("Attribute tables") struct TableTests {
    /// Loads a resource from the column values of another.
    private func reloaded<Resource: APIResource>(_ resource: Resource) -> Resource {
        var copy = Resource.blank
        for column in Resource.table.columns { #expect(column.load(&copy, column.value(resource)), "\(column.name)") }
        return copy
    }

    private let id = ResourceID(rawValue: 0x1234_5678_9abc_4def_8123_4567_89ab_cdef)

    @Test("A security group with rules survives its row") func groupRow() {
        var group = SecurityGroup(id: id, projectID: "p")
        var rule = SecurityGroupRule(id: id, projectID: "p", securityGroupID: id, direction: .egress)
        rule.version = .v6
        rule.networkProtocol = "tcp"
        rule.portRangeMinimum = 1
        rule.portRangeMaximum = 65535
        rule.remotePrefix = IPPrefix("2001:db8::/32")
        rule.standard.tags = ["a", "b\"c"]
        group.rules = [rule]
        #expect(reloaded(group) == group)
    }

    @Test("A router with a gateway survives its row, and clients do not see the gateway's port") func routerRow() {
        var router = Router(id: id, projectID: "p")
        router.gateway = ExternalGateway(networkID: id, portID: id, isSNATEnabled: false, fixedIPs: [])
        router.virtualRouterID = 7
        #expect(reloaded(router) == router)
        var writer = JSONWriter()
        Router.table.write(router, to: &writer)
        #expect(!writer.text.contains("port_id"))
        #expect(
            writer.text.contains(
                #""external_gateway_info":{"network_id":"12345678-9abc-4def-8123-456789abcdef","external_fixed_ips":[],"enable_snat":false,"qos_policy_id":null}"#
            ))
    }

    @Test("The times of an agent are shown without T and Z, as Neutron shows them and Go's clients read them; its row keeps them")
    func agentTimes() {
        var agent = Agent(id: id, type: .l3, hostID: "h1")
        agent.createdAt = Timestamp(secondsSince1970: 1_800_000_000)
        agent.startedAt = Timestamp(secondsSince1970: 1_800_000_061)
        agent.heartbeatAt = Timestamp(secondsSince1970: 1_800_003_661)
        #expect(reloaded(agent) == agent)
        var writer = JSONWriter()
        Agent.table.write(agent, to: &writer)
        for shown in [
            #""created_at":"2027-01-15 08:00:00""#, #""started_at":"2027-01-15 08:01:01""#,
            #""heartbeat_timestamp":"2027-01-15 09:01:01""#,
        ] { #expect(writer.text.contains(shown), "\(writer.text)") }
    }

    @Test("Absent stays absent, null stays null, unknown is refused with Neutron's words") func requests() throws {
        let request = try ResourceRequest<Port>.update(["mac_address": nil, "name": "x"])
        #expect(request.contains("mac_address") && !request.contains("fixed_ips"))
        #expect(throws: APIError.badRequest("Unrecognized attribute(s) 'colour'")) { try ResourceRequest<Port>.update(["colour": 1]) }
        #expect(throws: APIError.badRequest("Cannot update read-only attribute status")) {
            try ResourceRequest<Port>.update(["status": "DOWN"])
        }
        #expect(throws: APIError.badRequest("Attribute 'status' not allowed in POST")) {
            try ResourceRequest<Network>.create(["status": "DOWN"])
        }
        #expect(throws: APIError.badRequest("Failed to parse request. Required attribute 'network_id' not specified")) {
            try ResourceRequest<Port>.create([:])
        }
        // What comes first in the table is complained of first.
        #expect(throws: APIError.badRequest("Failed to parse request. Required attribute 'network_id' not specified")) {
            try ResourceRequest<Port>.create(["status": "DOWN"])
        }
        #expect(throws: APIError.badRequest("Invalid input for admin_state_up. Reason: 'maybe' cannot be converted to boolean.")) {
            try ResourceRequest<Network>.create(["admin_state_up": "maybe"])
        }
    }

    @Test(
        "A name is printable and has no space at its ends",
        arguments: [" a", "a ", "a\nb", "a\u{7F}", "\u{2028}", "\u{200D}", "\u{A0}x"])
    func names(_ name: String) throws {
        #expect(throws: APIError.badRequest("Invalid input for name. Reason: '\(name)' is not a valid string.")) {
            try ResourceRequest<SecurityGroup>.create(["name": .string(name)])
        }
        for good in ["", "a b", "größer", "网络", "a\u{A0}b"] {
            #expect(try ResourceRequest<SecurityGroup>.create(["name": .string(good)])["name"] == .string(good))
        }
    }

    @Test("The name of a subnet pool is a name, and not empty") func poolNames() throws {
        for (name, reason) in [
            ("", "'' Blank strings are not permitted"), (" \t", "' \t' Blank strings are not permitted"),
            (" a", "' a' is not a valid string"),
        ] {
            let (body, error): ([String: JSONValue], APIError) = (
                ["name": .string(name), "prefixes": ["10.0.0.0/8"]], .badRequest("Invalid input for name. Reason: \(reason).")
            )
            #expect(throws: error) { try ResourceRequest<SubnetPool>.create(body) }
            #expect(throws: error) { try ResourceRequest<SubnetPool>.update(body) }
        }
        #expect(try ResourceRequest<SubnetPool>.update(["name": "a b"])["name"] == "a b")
    }

    @Test("Null for a subnet's name servers and routes is an empty list; a flavor and a profile are enabled by it") func nulls() throws {
        let lists: [String: JSONValue] = ["dns_nameservers": nil, "host_routes": nil]
        let network: [String: JSONValue] = ["network_id": .string(id.description), "ip_version": 4]
        for request in [try ResourceRequest<Subnet>.create(lists.merging(network) { $1 }), try ResourceRequest<Subnet>.update(lists)] {
            #expect(request["dns_nameservers"] == [] && request["host_routes"] == [])
        }
        let flavors = [
            try ResourceRequest<Flavor>.create(["service_type": "L3_ROUTER_NAT", "enabled": nil]),
            try ResourceRequest<Flavor>.update(["enabled": nil]),
        ]
        for request in flavors { #expect(request["enabled"] == true) }
        #expect(try ResourceRequest<ServiceProfile>.update(["enabled": nil])["enabled"] == true)
        #expect(throws: APIError.badRequest("Invalid input for enabled. Reason: 'maybe' cannot be converted to boolean.")) {
            try ResourceRequest<Flavor>.update(["enabled": "maybe"])
        }
        #expect(throws: APIError.badRequest("Invalid input for host_routes. Reason: Invalid data format for hostroute: '7'.")) {
            try ResourceRequest<Subnet>.update(["host_routes": 7])
        }
    }

    @Test("A list is asked for one project, by either of its names") func twoProjects() throws {
        let conflict = APIError(
            status: 400, type: "TenantIdProjectIdFilterConflict", message: "Both tenant_id and project_id passed as filters.")
        #expect(throws: conflict) { try ListQuery.parse([("tenant_id", "a"), ("project_id", "b")], for: Network.self) }
        #expect(throws: conflict) {
            try ListQuery.parse([("project_id", "a"), ("tenant_id", "a"), ("project_id", "b")], for: Port.self)
        }
        let same = try ListQuery.parse([("tenant_id", "a"), ("project_id", "a")], for: Network.self)
        #expect(same.filters.allSatisfy { $0 == .column("project_id", [.text("a")]) })
    }

    @Test("A filter by a truth value or a number is one, or is refused") func convertedFilters() throws {
        let refusals = [
            ("admin_state_up", "maybe", "'maybe' cannot be converted to boolean"), ("shared", "", "'' cannot be converted to boolean"),
            ("mtu", "big", "'big' is not an integer"), ("provider:segmentation_id", "1.5", "'1.5' is not an integer"),
        ]
        for (name, text, reason) in refusals {
            #expect(throws: APIError.invalidInput(reason)) { try ListQuery.parse([(name, text)], for: Network.self) }
        }
        #expect(try ListQuery.parse([("admin_state_up", "on"), ("mtu", "1450")], for: Network.self).filters.count == 2)
        // Nobody sets it, so Neutron converts nothing.
        #expect(try ListQuery.parse([("revision_number", "x")], for: Network.self).filters == [.column("revision_number", [])])
        #expect(throws: APIError.invalidInput("'x' cannot be converted to boolean")) {
            try ListQuery.parse([("alive", "x")], for: Agent.self)
        }
    }

    @Test("Fixed addresses are asked for by key and value, and unknown keys ask for nothing") func fixedAddressFilters() throws {
        for text in ["10.0.0.5", "", "=10.0.0.5", " = x"] {
            #expect(throws: APIError.invalidInput("'\(text)' is not of the form <key>=[value]")) {
                try ListQuery.parse([("fixed_ips", text)], for: Port.self)
            }
        }
        let wanted = ListQuery.Filter.related(table: "ip_allocations", owner: "port_id", column: "ip_address", [.text("10.0.0.5")])
        #expect(try ListQuery.parse([("fixed_ips", " ip_address = 10.0.0.5 ")], for: Port.self).filters == [wanted])
        #expect(try ListQuery.parse([("fixed_ips", "colour=red")], for: Port.self).filters.isEmpty)
    }

    @Test("Every sort key has a direction, and a marker without a limit is passed over") func pages() throws {
        let counts = APIError.badRequest("The number of sort_keys and sort_dirs must be same")
        #expect(throws: counts) { try ListQuery.parse([("sort_key", "name")], for: Network.self) }
        #expect(try ListQuery.parse([("sort_key", ""), ("sort_dir", "")], for: Network.self).sortKeys.isEmpty)
        let marker = ("marker", id.description)
        #expect(try ListQuery.parse([marker], for: Network.self).marker == nil)
        #expect(try ListQuery.parse([marker, ("limit", "0")], for: Network.self).marker == nil)
        #expect(try ListQuery.parse([marker, ("limit", "2")], for: Network.self).marker == id)
        for (limit, expected) in [([], 3), ([("limit", "0")], 3), ([("limit", "2")], 2), ([("limit", "9")], 3)] {
            let page = try ListQuery.parse([marker] + limit, for: Network.self, maximumPageLength: 3)
            #expect(page.limit == expected && page.marker == id)
        }
        for text in ["", "-1", "two"] {
            let refusal = APIError(
                status: 400, type: "BadRequest", message: "Bad limit request: Limit must be an integer 0 or greater and not '\(text)'.")
            #expect(throws: refusal) { try ListQuery.parse([("limit", text)], for: Network.self) }
        }
    }

    @Test("Changes are asked for since any moment that ISO 8601 can write") func changes() throws {
        let noon = ListQuery.Filter.atLeast("updated_at", Timestamp(secondsSince1970: 1_769_860_800).columnValue)
        for text in [
            "2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31 12:00", "2026-01-31T12:00:00.250Z", "2026-01-31T14:00:00+02:00",
            "2026-01-31T04:30-0730", "2026-01-31T13:00+01",
        ] {
            #expect(try ListQuery.parse([("changed_since", text)], for: Network.self).filters == [noon], "\(text)")
        }
        #expect(Timestamp(iso8601: "2026-01-31") == Timestamp("2026-01-31T00:00:00"))
        let refusal = APIError.invalidInput("The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SSZ")
        for text in [
            "", "yesterday", "2026-13-31", "2026-01-31T", "2026-01-31x12:00", "2026-01-31T12:00:00.x", "2026-01-31T12:00+2",
            "2026-01-31T12:00Zulu",
        ] {
            #expect(throws: refusal, "\(text)") { try ListQuery.parse([("changed_since", text)], for: Network.self) }
        }
    }

    @Test("Networks sort by the hints of their zones") func zoneSort() throws {
        let query = try ListQuery.parse([("sort_key", "availability_zone_hints"), ("sort_dir", "desc")], for: Network.self)
        #expect(query.sortKeys == [ListQuery.SortKey(column: "availability_zone_hints", isAscending: false)])
        #expect(throws: APIError.badRequest("['availability_zone_hints'] is invalid attribute for sort_keys")) {
            try ListQuery.parse([("sort_key", "availability_zone_hints"), ("sort_dir", "desc")], for: Router.self)
        }
    }

    @Test("Rules of security groups have no tags: none can be given, none asked for") func untaggedRules() throws {
        #expect(throws: APIError.badRequest("Attribute 'tags' not allowed in POST")) {
            try ResourceRequest<SecurityGroupRule>.create([
                "security_group_id": .string(id.description), "direction": "ingress", "tags": ["a"],
            ])
        }
        for filter in ["tags", "tags-any", "not-tags", "not-tags-any"] {
            #expect(throws: APIError.badRequest("['\(filter)'] is invalid attribute for filtering")) {
                try ListQuery.parse([(filter, "a")], for: SecurityGroupRule.self)
            }
            #expect(try ListQuery.parse([(filter, "a")], for: SecurityGroup.self).filteredAttributes == ["tags"])
        }
    }

    @Test("A list of more items than any resource needs is refused") func longList() {
        let pools = (0...AttributeType.maximumListCount).map { JSONValue.string("\($0)") }
        #expect(throws: InvalidValue.self) { try AttributeType.list(of: .string(maximum: 9)).validate(.array(pools)) }
        #expect(throws: Never.self) { try AttributeType.list(of: .string(maximum: 9)).validate(.array(Array(pools.dropLast()))) }
    }

    @Test("Moments are written as OpenStack writes them and read back") func timestamps() {
        #expect(Timestamp(secondsSince1970: 0).description == "1970-01-01T00:00:00Z")
        #expect(Timestamp(secondsSince1970: 951_782_400).description == "2000-02-29T00:00:00Z")
        for seconds in stride(from: -5_000_000_000, through: 10_000_000_000, by: 86_399_333) {
            #expect(Timestamp(Timestamp(secondsSince1970: seconds).description)?.secondsSince1970 == seconds)
        }
    }

    @Test("An escape of JSON has four hexadecimal digits and no sign", arguments: ["-000", "+041", "00g0", "004"])
    func escapes(_ digits: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse("\"\\u\(digits)\"") }
    }
}
