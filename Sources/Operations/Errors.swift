import APISchema
import Addressing
import NetworkModel

// Neutron's exceptions, by the names of their classes. Clients and test suites compare status, type and text.

extension APIError {
    static func conflict(_ type: String, _ message: String) -> APIError { APIError(status: 409, type: type, message: message) }
    static func notFound(_ type: String, _ message: String) -> APIError { APIError(status: 404, type: type, message: message) }
    static func unavailable(_ type: String, _ message: String) -> APIError { APIError(status: 503, type: type, message: message) }

    /// Neutron's BadRequest: `Bad router request: ….`
    static func badRequest(_ resource: String, _ message: String) -> APIError {
        APIError(status: 400, type: "BadRequest", message: "Bad \(resource) request: \(message).")
    }

    static func badRouterRequest(_ message: String) -> APIError { .badRequest("router", message) }
    static func badFloatingIPRequest(_ message: String) -> APIError { .badRequest("floatingip", message) }

    /// A subclass of InvalidInput with a text of its own.
    static func invalid(_ type: String, _ message: String) -> APIError { APIError(status: 400, type: type, message: message) }
}

// MARK: Networks and subnets

extension APIError {
    static func networkInUse(_ id: ResourceID, portIDs: [ResourceID]) -> APIError {
        let ids = portIDs.map(\.description).joined(separator: ",")
        return conflict(
            "NetworkInUse",
            "Unable to complete operation on network \(id). There are one or more ports still in use on the network, "
                + "id for these ports is: \(ids).")
    }

    static func subnetInUse(_ id: ResourceID) -> APIError {
        conflict(
            "SubnetInUse", "Unable to complete operation on subnet \(id): One or more ports have an IP allocation from this subnet.")
    }

    static func noNetworkAvailable() -> APIError {
        unavailable("NoNetworkAvailable", "Unable to create the network. No project network is available for allocation.")
    }

    static func tunnelIDInUse(_ id: Int) -> APIError {
        conflict("TunnelIdInUse", "Unable to create the network. The tunnel ID \(id) is in use.")
    }

    static func vlanIDInUse(_ id: Int, _ physicalNetwork: String) -> APIError {
        conflict(
            "VlanIdInUse", "Unable to create the network. The VLAN \(id) on physical network \(physicalNetwork) is in use.")
    }

    static func flatNetworkInUse(_ physicalNetwork: String) -> APIError {
        conflict("FlatNetworkInUse", "Unable to create the flat network. Physical network \(physicalNetwork) is in use.")
    }

    static func invalidSharedSetting(_ name: String) -> APIError {
        conflict(
            "InvalidSharedSetting",
            "Unable to reconfigure sharing settings for network \(name). Multiple projects are using it.")
    }

    static func externalNetworkInUse(_ id: ResourceID) -> APIError {
        conflict(
            "ExternalNetworkInUse",
            "External network \(id) cannot be updated to be made non-external, since it has existing gateway ports.")
    }

    static func networkMTUSubnetConflict(_ id: ResourceID, minimum: Int) -> APIError {
        conflict("NetworkMTUSubnetConflict", "MTU of \(id) is not valid, subnet requires a minimum of \(minimum)")
    }

    static func outOfBoundsAllocationPool(_ pool: String, _ prefix: IPPrefix) -> APIError {
        invalid("OutOfBoundsAllocationPool", "The allocation pool \(pool) spans beyond the subnet cidr \(prefix).")
    }

    static func invalidAllocationPool(_ pool: String) -> APIError {
        invalid("InvalidAllocationPool", "The allocation pool \(pool) is not valid.")
    }

    static func overlappingAllocationPools(_ first: IPRange, _ second: IPRange, _ prefix: IPPrefix) -> APIError {
        conflict("OverlappingAllocationPools", "Found overlapping allocation pools: \(first) \(second) for subnet \(prefix).")
    }

    static func gatewayConflictWithAllocationPools(_ gateway: IPAddress, _ pool: IPRange) -> APIError {
        conflict("GatewayConflictWithAllocationPools", "Gateway ip \(gateway) conflicts with allocation pool \(pool).")
    }

    static func gatewayIPInUse(_ gateway: IPAddress, portID: ResourceID) -> APIError {
        conflict("GatewayIpInUse", "Current gateway ip \(gateway) already in use by port \(portID). Unable to update.")
    }
}

// MARK: Ports

extension APIError {
    static func ipAddressGenerationFailure(_ networkID: ResourceID) -> APIError {
        conflict("IpAddressGenerationFailure", "No more IP addresses available on network \(networkID).")
    }

    static func externalIPAddressExhausted(_ networkID: ResourceID) -> APIError {
        invalid("ExternalIpAddressExhausted", "Unable to find any IP address on external network \(networkID).")
    }

    static func ipAddressInUse(_ address: IPAddress, _ networkID: ResourceID) -> APIError {
        conflict("IpAddressInUse", "Unable to complete operation for network \(networkID). The IP address \(address) is in use.")
    }

    static func macAddressInUse(_ mac: MACAddress, _ networkID: ResourceID) -> APIError {
        conflict("MacAddressInUse", "Unable to complete operation for network \(networkID). The mac address \(mac) is in use.")
    }

    static func macAddressGenerationFailure(_ networkID: ResourceID) -> APIError {
        unavailable("NetworkMacAddressGenerationFailure", "Unable to generate unique mac on network \(networkID).")
    }

    static func invalidIPForNetwork(_ address: IPAddress) -> APIError {
        invalid(
            "InvalidIpForNetwork", "IP address \(address) is not a valid IP for any of the subnets on the specified network.")
    }

    static func invalidIPForSubnet(_ address: IPAddress) -> APIError {
        invalid("InvalidIpForSubnet", "IP address \(address) is not a valid IP for the specified subnet.")
    }

    static func servicePortInUse(_ port: Port) -> APIError {
        conflict(
            "ServicePortInUse",
            "Port \(port.id) cannot be deleted directly via the port API: has device owner \(port.deviceOwner).")
    }

    static func portInUse(_ port: Port) -> APIError {
        conflict(
            "PortInUse",
            "Unable to complete operation on port \(port.id) for network \(port.networkID). Port already has an attached device "
                + "\(port.deviceID).")
    }

    static func portBound(_ port: Port, newMAC: MACAddress) -> APIError {
        conflict(
            "PortBound",
            "Unable to complete operation on port \(port.id), port is already bound, port type: \(port.vifType), "
                + "old_mac \(port.mac), new_mac \(newMAC).")
    }

    static let portSecurityPortHasSecurityGroup = conflict(
        "PortSecurityPortHasSecurityGroup",
        "Port has security group associated. Cannot disable port security or IP address until security group is removed.")

    static let portSecurityRequiredForSecurityGroups = invalid(
        "PortSecurityAndIPRequiredForSecurityGroups",
        "Port security must be enabled and port must have an IP address in order to use security groups.")

    static let addressPairAndPortSecurityRequired = conflict(
        "AddressPairAndPortSecurityRequired",
        "Port Security must be enabled in order to have allowed address pairs on a port.")

    static let mixedStatefulness = conflict(
        "SecurityGroupConflict",
        "Error Cannot apply both stateful and stateless security groups on the same port at the same time while attempting the operation.")

    static let addressPairMissesAddress = invalid("AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address")

    static func deviceIDNotOwned(_ deviceID: String) -> APIError {
        conflict(
            "DeviceIDNotOwnedByTenant",
            "The following device_id \(deviceID) is not owned by your project or matches another project router.")
    }

    static func addressPairsExhausted(_ maximum: Int) -> APIError {
        invalid("AllowedAddressPairExhausted", "The number of allowed address pair exceeds the maximum \(maximum).")
    }

    static func duplicateAddressPair(_ pair: AddressPair, _ text: String) -> APIError {
        invalid(
            "DuplicateAddressPairInRequest",
            "Request contains duplicate address pair: mac_address \(pair.mac) ip_address \(text).")
    }
}

// MARK: Routers and floating IPs

extension APIError {
    static func routerInUse(_ id: ResourceID, portIDs: [ResourceID]) -> APIError {
        let ids = portIDs.map(\.description).joined(separator: ", ")
        return conflict("RouterInUse", "Router \(id) has ports still attached: \(ids)")
    }

    static func routerInterfaceNotFound(_ routerID: ResourceID, portID: ResourceID) -> APIError {
        notFound("RouterInterfaceNotFound", "Router \(routerID) does not have an interface with id \(portID)")
    }

    static func routerInterfaceNotFound(_ routerID: ResourceID, subnetID: ResourceID) -> APIError {
        notFound("RouterInterfaceNotFoundForSubnet", "Router \(routerID) has no interface on subnet \(subnetID)")
    }

    static func routerInterfaceInUseByFloatingIP(_ routerID: ResourceID, subnetID: ResourceID) -> APIError {
        conflict(
            "RouterInterfaceInUseByFloatingIP",
            "Router interface for subnet \(subnetID) on router \(routerID) cannot be deleted, as it is required by one or more "
                + "floating IPs.")
    }

    static func routerInterfaceInUseByRoute(_ routerID: ResourceID, subnetID: ResourceID) -> APIError {
        conflict(
            "RouterInterfaceInUseByRoute",
            "Router interface for subnet \(subnetID) on router \(routerID) cannot be deleted, as it is required by one or more "
                + "routes.")
    }

    static func routerGatewayInUseByFloatingIP(_ routerID: ResourceID, networkID: ResourceID) -> APIError {
        conflict(
            "RouterExternalGatewayInUseByFloatingIp",
            "Gateway cannot be updated for router \(routerID), since a gateway to external network \(networkID) is required by one or "
                + "more floating IPs.")
    }

    // Neutron forgets to say of these that they are the client's errors, and to tell the reasons.

    static func unableToRemoveGateways(_ routerID: ResourceID) -> APIError {
        invalid(
            "UnableToRemoveGateways",
            "Unable to remove extra gateways from a router \(routerID): the router does not have any external gateways.")
    }

    static func unableToMatchGateways(_ routerID: ResourceID, _ reason: String) -> APIError {
        invalid(
            "UnableToMatchGateways",
            "Unable to match a requested gateway port to existing gateway ports for router \(routerID): \(reason).")
    }

    static func unableToAddGateways(_ routerID: ResourceID, maximum: Int) -> APIError {
        invalid(
            "UnableToAddExtraGateways",
            "Unable to add extra gateways to a router \(routerID): it would have more than \(maximum) external gateways.")
    }

    static func subnetMismatchForPort(_ portID: ResourceID, subnetID: ResourceID) -> APIError {
        invalid("SubnetMismatchForPort", "Subnet on port \(portID) does not match the requested subnet \(subnetID).")
    }

    static func invalidRoutes(_ routes: String, _ reason: String) -> APIError {
        invalid("InvalidRoutes", "Invalid format for routes: \(routes), \(reason)")
    }

    static func routesExhausted(_ routerID: ResourceID, maximum: Int) -> APIError {
        invalid(
            "RoutesExhausted",
            "Unable to complete operation for \(routerID). The number of routes exceeds the maximum \(maximum).")
    }

    static func externalGatewayForFloatingIPNotFound(_ subnetID: ResourceID, _ networkID: ResourceID, _ portID: ResourceID) -> APIError {
        notFound(
            "ExternalGatewayForFloatingIPNotFound",
            "External network \(networkID) is not reachable from subnet \(subnetID).  Therefore, cannot associate Port \(portID) with a "
                + "Floating IP.")
    }

    static func floatingIPPortAlreadyAssociated(_ floating: FloatingIP, _ portID: ResourceID, _ fixed: IPAddress) -> APIError {
        conflict(
            "FloatingIPPortAlreadyAssociated",
            "Cannot associate floating IP \(floating.address) (\(floating.id)) with port \(portID) using fixed IP \(fixed), as that fixed IP "
                + "already has a floating IP on external network \(floating.floatingNetworkID).")
    }
}

// MARK: Quotas and agents

extension APIError {
    static func overQuota(_ resources: [String]) -> APIError {
        conflict("OverQuota", "Quota exceeded for resources: \(JSONValue.array(resources.map(JSONValue.string)).pythonText).")
    }

    static func quotaNotFound(_ projectID: String) -> APIError {
        notFound("TenantQuotaNotFound", "Quota for project \(projectID) could not be found.")
    }

    static func routerHosted(_ routerID: ResourceID, agentID: ResourceID) -> APIError {
        conflict("RouterHostedByL3Agent", "The router \(routerID) has been already hosted by the L3 Agent \(agentID).")
    }

    static func routerSchedulingFailed(_ routerID: ResourceID, agentID: ResourceID) -> APIError {
        conflict("RouterSchedulingFailed", "Failed scheduling router \(routerID) to the L3 Agent \(agentID).")
    }

    static func availabilityZoneNotFound(_ name: String) -> APIError {
        notFound("AvailabilityZoneNotFound", "AvailabilityZone \(name) could not be found.")
    }

    static func routerNotHosted(_ routerID: ResourceID, agentID: ResourceID) -> APIError {
        conflict("RouterNotHostedByL3Agent", "The router \(routerID) is not hosted by the L3 Agent \(agentID).")
    }

    static func invalidL3Agent(_ id: ResourceID) -> APIError {
        notFound("InvalidL3Agent", "Agent \(id) is not a L3 Agent or has been disabled")
    }
}
