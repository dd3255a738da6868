import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension SecurityGroupRule: ManagedResource {
    public static func create(_ request: ResourceRequest<SecurityGroupRule>, in verb: Verb) throws -> SecurityGroupRule {
        try verb.createSecurityGroupRule(request)
    }
    public static func update(
        _ rule: SecurityGroupRule, _ request: ResourceRequest<SecurityGroupRule>, in verb: Verb
    ) throws -> SecurityGroupRule {
        try verb.updateSecurityGroupRule(rule, request)
    }
    public static func delete(_ rule: SecurityGroupRule, in verb: Verb) throws { try verb.deleteSecurityGroupRule(rule) }

    public static func notFound(_ id: String) -> APIError {
        .notFound("SecurityGroupRuleNotFound", "Security group rule \(id) does not exist")
    }

    public static var policyParents: [PolicyParent] {
        [PolicyParent("security_group", column: "security_group_id", SecurityGroup.self)]
    }

    public static func withComputed(_ rules: [SecurityGroupRule], in verb: Verb) throws -> [SecurityGroupRule] {
        var isDefault: [ResourceID: Bool] = [:]
        return try rules.map { rule in
            var shown = rule
            shown.belongsToDefaultGroup = try isDefault[rule.securityGroupID] ?? verb.isDefaultGroup(rule.securityGroupID)
            isDefault[rule.securityGroupID] = shown.belongsToDefaultGroup
            return shown
        }
    }

    public func hasComputed(_ attribute: String, oneOf texts: [String]) -> Bool {
        texts.contains { Bool.filterValue($0) == belongsToDefaultGroup.columnValue }
    }

    /// One group, one project, no rule twice.
    public static func checkBulk(_ requests: [ResourceRequest<SecurityGroupRule>], in verb: Verb) throws {
        guard Set(requests.map { $0["security_group_id"] }).count <= 1 else {
            throw APIError.invalid(
                "SecurityGroupNotSingleGroupRules", "Only allowed to update rules for one security profile at a time")
        }
        guard Set(requests.map { $0["project_id"] }).count <= 1 else {
            throw APIError.invalid(
                "SecurityGroupRulesNotSingleProject", "Multiple project_ids in bulk security group rule create not allowed")
        }
        let rules = try requests.map { try SecurityGroupRules.rule(from: $0, id: verb.newID(), projectID: "") }
        guard Set(rules.map(SecurityGroupRules.Key.init)).count == rules.count else {
            throw APIError.conflict("DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST.")
        }
    }
}

extension Verb {
    func createSecurityGroupRule(_ request: ResourceRequest<SecurityGroupRule>) throws -> SecurityGroupRule {
        var rule = try SecurityGroupRules.rule(from: request, id: newID(), projectID: try project(of: request))
        if let remoteGroupID = rule.remoteGroupID { _ = try visible(SecurityGroup.self, remoteGroupID) }
        if let id = rule.remoteAddressGroupID { _ = try visible(AddressGroup.self, id) }
        var group = try visible(SecurityGroup.self, rule.securityGroupID)
        let key = SecurityGroupRules.Key(rule)
        if let same = group.rules.first(where: { SecurityGroupRules.Key($0) == key }) {
            throw APIError.conflict("SecurityGroupRuleExists", "Security group rule already exists. Rule id is \(same.id).")
        }
        try checkQuota("security_group_rule", rule.projectID)
        open(&rule)
        try transaction.insert(rule)
        group.rules.append(rule)
        try save(&group)
        return rule
    }

    /// Only the description can change.
    func updateSecurityGroupRule(
        _ current: SecurityGroupRule, _ request: ResourceRequest<SecurityGroupRule>
    ) throws -> SecurityGroupRule {
        var rule = current
        try request.assign(to: &rule)
        try save(&rule)
        var group = try existing(SecurityGroup.self, rule.securityGroupID)
        group.rules = group.rules.map { $0.id == rule.id ? rule : $0 }
        try save(&group)
        return rule
    }

    func deleteSecurityGroupRule(_ rule: SecurityGroupRule) throws {
        var group = try existing(SecurityGroup.self, rule.securityGroupID)
        group.rules.removeAll { $0.id == rule.id }
        try save(&group)
        try transaction.delete(SecurityGroupRule.self, rule.id)
    }
}

/// What a rule must fulfil. Pure.
enum SecurityGroupRules {
    /// Protocol names that rules may have, with their numbers (IANA).
    static let protocols: [String: Int] = [
        "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "icmpv6": 58, "igmp": 2, "ip": 0, "ipip": 4,
        "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, "ospf": 89, "pgm": 113,
        "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
    ]
    private static let portProtocols: Set = [6, 17, 33, 132, 136]
    private static let icmpProtocols: Set = [1, 58]
    private static let ipv6OnlyProtocols: Set = [
        "ipv6-encap", "ipv6-frag", "ipv6-icmp", "icmpv6", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "41", "44", "58", "59", "60", "43",
    ]

    /// What makes two rules the same: no prefix and the prefix of all addresses count as one, names and numbers of protocols too.
    struct Key: Hashable {
        var direction: RuleDirection
        var version: IPVersion
        var networkProtocol: Int?
        var minimum: Int?
        var maximum: Int?
        var prefix: IPPrefix?
        var remoteGroupID: ResourceID?
        var remoteAddressGroupID: ResourceID?

        init(_ rule: SecurityGroupRule) {
            direction = rule.direction
            version = rule.version
            networkProtocol = rule.networkProtocol.flatMap(SecurityGroupRules.number)
            minimum = rule.portRangeMinimum
            maximum = rule.portRangeMaximum
            prefix = rule.remotePrefix.flatMap { $0.length == 0 ? nil : $0 }
            remoteGroupID = rule.remoteGroupID
            remoteAddressGroupID = rule.remoteAddressGroupID
        }
    }

    static func number(_ networkProtocol: String) -> Int? { protocols[networkProtocol] ?? Int(networkProtocol) }

    /// The rule that a request asks for, checked and in its canonical form.
    static func rule(from request: ResourceRequest<SecurityGroupRule>, id: ResourceID, projectID: String) throws -> SecurityGroupRule {
        try checkReferences(in: request)
        var rule = SecurityGroupRule.blank
        rule.id = id
        try request.assign(to: &rule)
        rule.projectID = projectID
        rule.remoteGroupID = try request.value("remote_group_id", as: ResourceID?.self) ?? nil
        try fill(&rule, from: request)
        try checkRemotes([rule.remoteAddress != nil, rule.remoteGroupID != nil, rule.remoteAddressGroupID != nil])
        return rule
    }

    /// What rules and templates of rules have in common, checked and in its canonical form.
    static func fill<R: APIResource>(_ rule: inout SecurityGroupRule, from request: ResourceRequest<R>) throws {
        rule.version = try etherType(request["ethertype"] ?? "IPv4")
        rule.networkProtocol = try networkProtocol(request["protocol"] ?? .null)
        rule.portRangeMinimum = try port(request["port_range_min"] ?? .null)
        rule.portRangeMaximum = try port(request["port_range_max"] ?? .null)
        rule.remoteAddress = try remoteAddress(request["remote_ip_prefix"] ?? .null)
        rule.remoteAddressGroupID = try request.value("remote_address_group_id", as: ResourceID?.self) ?? nil
        canonicalise(&rule)
        try checkRange(rule)
        if let prefix = rule.remotePrefix, prefix.version != rule.version {
            throw APIError.invalid(
                "SecurityGroupRuleParameterConflict",
                "Conflicting value ethertype \(name(rule.version)) for CIDR \(request["remote_ip_prefix"]?.pythonText ?? "")")
        }
        if rule.version == .v4, let networkProtocol = rule.networkProtocol, ipv6OnlyProtocols.contains(networkProtocol) {
            throw APIError.invalid(
                "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4 for protocol \(networkProtocol).")
        }
    }

    /// Neutron takes any text for the groups that a rule names, and finds none by what is no id.
    private static func checkReferences(in request: ResourceRequest<SecurityGroupRule>) throws(APIError) {
        func malformed(_ name: String) -> String? { request[name]?.stringValue.flatMap { ResourceID($0) == nil ? $0 : nil } }
        if let text = malformed("security_group_id") ?? malformed("remote_group_id") { throw SecurityGroup.notFound(text) }
        if let text = malformed("remote_address_group_id") { throw AddressGroup.notFound(text) }
    }

    /// A rule has one remote side at most.
    static func checkRemotes(_ isGiven: [Bool]) throws(APIError) {
        guard isGiven.count(where: { $0 }) <= 1 else {
            throw .invalid(
                "SecurityGroupMultipleRemoteEntites",
                "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.")
        }
    }

    /// A number 0...65535, or its text.
    private static func port(_ json: JSONValue) throws(APIError) -> Int? {
        switch json {
        case .null: return nil
        case .bool: break
        default: if let number = try? Int(json: json), (0...65535).contains(number) { return number }
        }
        throw .invalid("SecurityGroupInvalidPortValue", "Invalid value for port \(json.pythonText)")
    }

    /// ICMP in an IPv6 rule is ICMPv6, and all ports are no port range.
    private static func canonicalise(_ rule: inout SecurityGroupRule) {
        if rule.version == .v6 {
            if rule.networkProtocol == "icmp" || rule.networkProtocol == "icmpv6" { rule.networkProtocol = "ipv6-icmp" }
            if rule.networkProtocol == "1" { rule.networkProtocol = "58" }
        }
        if rule.portRangeMinimum == 1, rule.portRangeMaximum == 65535 {
            rule.portRangeMinimum = nil
            rule.portRangeMaximum = nil
        }
    }

    private static func checkRange(_ rule: SecurityGroupRule) throws(APIError) {
        let (minimum, maximum) = (rule.portRangeMinimum, rule.portRangeMaximum)
        guard minimum != nil || maximum != nil else { return }
        guard let networkProtocol = rule.networkProtocol else {
            throw .invalid("SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.")
        }
        let number = number(networkProtocol) ?? -1
        if portProtocols.contains(number) {
            guard minimum != 0, maximum != 0 else { throw .invalid("SecurityGroupInvalidPortValue", "Invalid value for port 0") }
            guard let minimum, let maximum, minimum <= maximum else {
                throw .invalid("SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max")
            }
        } else if icmpProtocols.contains(number) {
            try checkICMP(minimum, maximum)
        } else {
            throw .invalid(
                "SecurityGroupInvalidProtocolForPort",
                "Ports cannot be specified for protocol \(number). Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.")
        }
    }

    private static func checkICMP(_ type: Int?, _ code: Int?) throws(APIError) {
        for (value, attribute, field) in [(type, "port_range_min", "type"), (code, "port_range_max", "code")] {
            guard let value, !(0...255).contains(value) else { continue }
            throw .invalid("SecurityGroupInvalidIcmpValue", "Invalid value for ICMP \(field) (\(attribute)) \(value). It must be 0 to 255.")
        }
        guard type != nil || code == nil else {
            throw .invalid(
                "SecurityGroupMissingIcmpType",
                "ICMP code (port-range-max) \(code.map(String.init) ?? "") is provided but ICMP type (port-range-min) is missing.")
        }
    }

    private static func etherType(_ json: JSONValue) throws(APIError) -> IPVersion {
        switch json.stringValue?.lowercased() {
        case "ipv4": return .v4
        case "ipv6": return .v6
        default:
            throw .invalid(
                "SecurityGroupRuleInvalidEtherType",
                "Security group rule for ethertype '\(json.pythonText)' not supported. Allowed values are ['IPv4', 'IPv6'].")
        }
    }

    /// A known name in lower case or a number; null and `any` are all protocols.
    private static func networkProtocol(_ json: JSONValue) throws(APIError) -> String? {
        switch json {
        case .null: return nil
        case .integer(let number) where (0...255).contains(number): return String(number)
        case .string(let text):
            let name = text.lowercased()
            if name == "any" { return nil }
            if let number = Int(name), (0...255).contains(number) { return String(number) }
            if protocols[name] != nil { return name }
        default: break
        }
        let names = ["None", "any"] + protocols.keys.sorted()
        throw .invalid(
            "SecurityGroupRuleInvalidProtocol",
            "Security group rule protocol \(json.pythonText) not supported. Only protocol values \(names.joined(separator: ", ")) and integer "
                + "representations [0 to 255] are supported.")
    }

    private static func remoteAddress(_ json: JSONValue) throws(APIError) -> InterfaceAddress? {
        guard !json.isNull, json.stringValue != "" else { return nil }
        guard let text = json.stringValue, let address = InterfaceAddress(text: text) else {
            throw .invalid("InvalidCIDR", "Invalid CIDR \(json.pythonText) given as IP prefix.")
        }
        return address
    }

    private static func name(_ version: IPVersion) -> String { version == .v4 ? "IPv4" : "IPv6" }
}
