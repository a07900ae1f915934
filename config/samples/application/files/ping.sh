# Waits for the client's connection and pings through it. If there is none, it looks
# at one hop after the other, and names the first that does not answer.
set -u

failed() {
  echo "FAILED at the $1 (node $NODE): $2"
  exit 1
}

# The far ends of the connection: what the routes through the interface lead to.
# The kernel adds one to its own address in IPv6.
far_ends() {
  own=$(ip addr show dev "$INTERFACE" 2>/dev/null | awk '/inet/ { sub("/.*", "", $2); print $2 }')
  { ip route show dev "$INTERFACE"; ip -6 route show dev "$INTERFACE"; } 2>/dev/null |
    awk '{ sub("/(32|128)$", "", $1); if ($1 ~ /^[0-9a-f.:]+$/) print $1 }' | grep -vxF -- "$own"
}

waited=0
while [ -z "$(far_ends)" ]; do
  if [ "$waited" -ge "$PATIENCE" ]; then
    [ -S "$SPIRE_SOCKET" ] ||
      failed "SPIRE agent" "there is no socket $SPIRE_SOCKET. Is SPIRE's agent running on this node, and is that its socket?"
    [ -S "$MANAGER_SOCKET" ] ||
      failed manager "there is no socket $MANAGER_SOCKET. kubectl get pods -n $MESH_NAMESPACE -l app=nsmgr -o wide"
    getent hosts "$REGISTRY" >/dev/null ||
      failed registry "the cluster's DNS does not know $REGISTRY. Is $MESH_NAMESPACE the namespace of the mesh (meshNamespace)?"
    nc -z -w 3 "$REGISTRY" 5002 2>/dev/null ||
      failed registry "nobody listens at $REGISTRY:5002. kubectl get nsm -n $MESH_NAMESPACE"
    getent hosts "$ENDPOINT" >/dev/null ||
      failed endpoint "its pod is not ready. kubectl describe pods -l app=nse-kernel"
    failed forwarder "everything else answers, but no connection to $NETWORK_SERVICE came up within $PATIENCE s.
kubectl describe nsm -n $MESH_NAMESPACE tells whether this node's forwarder is registered;
the log of the container nsc in this pod tells what the manager answered."
  fi
  sleep 1
  waited=$((waited + 1))
done
echo "connected after $waited s"
[ -z "${CONNECT_ONLY:-}" ] || exit 0

mtu=$(cat "/sys/class/net/$INTERFACE/mtu")
for far in $(far_ends); do
  case $far in
    *:*) headers=48 ;;
    *) headers=28 ;;
  esac
  # The first large packet of a connection may be lost, so one reply of three is enough.
  # At most four seconds each: all of them have to fit into the time that the pod has.
  for size in 56 $((mtu - headers - 1)) $((mtu - headers)) $((mtu - headers + 1)); do
    if ! answer=$(ping -c 3 -W 2 -s "$size" "$far" 2>&1); then
      echo "$answer"
      failed ping "$far does not answer packets of $size bytes; the MTU of $INTERFACE is $mtu"
    fi
    echo "$far, $size bytes: $(echo "$answer" | grep 'packets transmitted')"
  done
done
echo "OK"
