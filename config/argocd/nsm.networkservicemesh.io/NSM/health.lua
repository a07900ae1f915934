-- Argo CD's health of an NSM, of either version.
--   Degraded:    nothing comes of waiting, or the mesh is up and something is wrong with it
--   Progressing: the operator, or the cluster, is at work
--   Healthy:     the mesh is as the spec describes it, and all of it is up
local health = {status = "Progressing", message = "waiting for the operator to look at it"}

if obj.status == nil or obj.status.conditions == nil then
  return health
end

-- What was said of an earlier generation says nothing of this one.
if obj.metadata.generation ~= nil and obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end

local function is(name, status)
  return conditions[name] ~= nil and conditions[name].status == status
end

local function message(...)
  for _, name in ipairs({...}) do
    if conditions[name] ~= nil and conditions[name].message ~= nil then
      return conditions[name].message
    end
  end
  return ""
end

if is("Stalled", "True") then
  health.status = "Degraded"
  health.message = message("Stalled")
elseif not is("Ready", "True") then
  if is("Degraded", "True") then
    health.message = message("Degraded")
  else
    health.message = message("Available", "Ready")
  end
elseif is("Degraded", "True") then
  health.status = "Degraded"
  health.message = message("Degraded")
elseif not is("Available", "True") then
  health.message = message("Available")
else
  health.status = "Healthy"
  health.message = message("Available")
end
return health
