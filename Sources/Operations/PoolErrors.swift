import APISchema
import Addressing
import NetworkModel

// MARK: Address scopes and subnet pools

extension APIError {
    static func addressScopeInUse(_ id: ResourceID) -> APIError {
        conflict(
            "AddressScopeInUse",
            "Unable to complete operation on address scope \(id). There are one or more subnet pools in use on the address scope.")
    }

    static func addressScopeUpdate(_ id: ResourceID, _ reason: String) -> APIError {
        invalid("AddressScopeUpdateError", "Unable to update address scope \(id) : \(reason).")
    }

    static let addressScopePrefixConflict = conflict(
        "AddressScopePrefixConflict",
        "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.")

    static let networkAddressScopeAffinity = invalid(
        "NetworkAddressScopeAffinityError",
        "Subnets of the same address family hosted on the same network must all participate in the same address scope.")

    static let networkSubnetPoolAffinity = invalid(
        "NetworkSubnetPoolAffinityError", "Subnets hosted on the same network must be allocated from the same subnet pool.")

    static let emptySubnetPoolPrefixList = invalid("EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.")
    static let prefixVersionMismatch = invalid("PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")

    static func illegalSubnetPoolPrefixBounds(_ name: String, _ length: Int, _ otherName: String, _ other: Int) -> APIError {
        invalid("IllegalSubnetPoolPrefixBounds", "Illegal prefix bounds: \(name)=\(length), \(otherName)=\(other).")
    }

    static func illegalSubnetPoolPrefixUpdate(_ reason: String) -> APIError {
        invalid("IllegalSubnetPoolPrefixUpdate", "Illegal update to prefixes: \(reason).")
    }

    static func illegalSubnetPoolUpdate(_ reason: String) -> APIError {
        invalid("IllegalSubnetPoolUpdate", "Illegal subnetpool update : \(reason).")
    }

    static func illegalSubnetPoolVersion(_ pool: ResourceID, _ scope: AddressScope) -> APIError {
        invalid(
            "IllegalSubnetPoolIpVersionAssociationToAddressScope",
            "Illegal subnetpool association: subnetpool \(pool) cannot associate with address scope \(scope.id) because subnetpool "
                + "ip_version is not \(scope.version.rawValue).")
    }

    static let subnetPoolDelete = invalid(
        "SubnetPoolDeleteError", "Unable to delete subnet pool: Subnet pool has existing allocations.")

    static func minimumPrefixAllocation(_ length: Int, _ minimum: Int) -> APIError {
        invalid(
            "MinPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length \(length), minimum allowed prefix is \(minimum).")
    }

    static func maximumPrefixAllocation(_ length: Int, _ maximum: Int) -> APIError {
        invalid(
            "MaxPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length \(length), maximum allowed prefix is \(maximum).")
    }

    static let subnetPoolQuotaExceeded = conflict("SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.")

    /// Neutron answers with 500, which tells clients nothing: the pool's state is what is in the way.
    static func subnetAllocation(_ reason: String) -> APIError {
        conflict("SubnetAllocationError", "Failed to allocate subnet: \(reason).")
    }
}

// MARK: QoS

extension APIError {
    /// - Parameter user: nil: it is of another project.
    static func qosPolicyInUse(_ id: ResourceID, by type: String, _ user: ResourceID?) -> APIError {
        conflict("QosPolicyInUse", "QoS Policy \(id) is used by \(user.map { "\(type) \($0)" } ?? "a \(type) of another project").")
    }

    static func qosPolicyDefaultExists(_ projectID: String) -> APIError {
        conflict("QoSPolicyDefaultAlreadyExists", "A default QoS policy exists for project \(projectID).")
    }

    static func qosRuleNotFound(_ id: String, policy: String) -> APIError {
        notFound("QosRuleNotFound", "QoS rule \(id) for policy \(policy) could not be found.")
    }

    static func qosRulesConflict(_ type: String, _ other: ResourceID, policy: ResourceID) -> APIError {
        conflict("QoSRulesConflict", "Rule \(type) conflicts with rule \(other) which already exists in QoS Policy \(policy).")
    }
}
