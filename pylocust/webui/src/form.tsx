import { Accordion, Alert, Autocomplete, Button, Checkbox, MultiSelect, NativeSelect, NumberInput, PasswordInput, Stack, TextInput } from "@mantine/core";
import { type FormEvent, type MutableRefObject, useState } from "react";
import { post } from "./api";
import type { Field, Generator, PageArgs } from "./types";

function OptionField({ name, field, value, onChange }: { name: string; field: Field; value: string | string[]; onChange: (value: string | string[]) => void }) {
  const shared = { label: name, description: field.help_text ?? undefined, required: field.is_required };
  if (field.is_multiple && field.choices) {
    return <MultiSelect {...shared} data={field.choices.map(String)} value={[value].flat()} onChange={onChange} />;
  }
  if (field.choices) {
    return (
      <NativeSelect {...shared} data={field.choices.map(String)} value={String(value)} onChange={(event) => onChange(event.target.value)} />
    );
  }
  if (typeof field.default_value === "boolean") {
    return (
      <Checkbox {...shared} required={false} checked={value === "true"} onChange={(event) => onChange(String(event.target.checked))} />
    );
  }
  const Input = field.is_secret ? PasswordInput : TextInput;
  return <Input {...shared} value={[value].flat().join(",")} onChange={(event) => onChange(event.target.value)} />;
}

/** What a field begins with is what is sent if nobody touches it: of choices it must be one of them. */
function initial({ default_value: value, choices, is_multiple: isMultiple }: Field): string | string[] {
  if (choices && isMultiple) {
    return value === null ? choices.map(String) : [value].flat().map(String);
  }
  if (choices && !choices.map(String).includes(String(value))) {
    return String(choices[0] ?? "");
  }
  return Array.isArray(value) ? value.map(String) : value === null ? "" : String(value);
}

type Fields = Record<string, string | string[]>;

/** What one class is to be given other than its script says. */
type ClassSettings = Record<string, unknown>;

/** What was last sent: the next form begins with it. */
export interface Sent {
  fields: Fields;
  settings: Record<string, ClassSettings>;
  classes: string[];
  shape: string;
  runTime: string;
  profile: string;
}

const TITLES: Record<string, string> = { weight: "Weight", fixed_count: "Fixed count", host: "Host of this class" };

function titleOf(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return TITLES[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** An attribute that the class's json() tells, asked for by its kind. */
function SettingField({ name, own, value, onChange }: { name: string; own: unknown; value: unknown; onChange: (value: unknown) => void }) {
  const shared = { label: titleOf(name), size: "xs" };
  if (typeof own === "boolean") {
    return <Checkbox {...shared} checked={Boolean(value)} onChange={(event) => onChange(event.target.checked)} />;
  }
  if (typeof own === "number") {
    return <NumberInput {...shared} min={name in TITLES ? 0 : undefined} allowDecimal={name !== "fixed_count"} value={value as string | number} onChange={onChange} />;
  }
  return <TextInput {...shared} value={String(value ?? "")} onChange={(event) => onChange(event.target.value)} />;
}

/** Without numbers that were taken away and not written anew. */
function changesOf(settings: ClassSettings, own: ClassSettings): ClassSettings {
  const isNumber = (name: string) => typeof own[name] === "number";
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([name, value]) => !(isNumber(name) && value === ""))
      .map(([name, value]) => [name, isNumber(name) ? Number(value) : value]),
  );
}

interface ClassProps {
  name: string;
  args: PageArgs;
  isChosen: boolean;
  settings: ClassSettings;
  onChoose: (isChosen: boolean) => void;
  onChange: (settings: ClassSettings) => void;
}

function ClassRow({ name, args, isChosen, settings, onChoose, onChange }: ClassProps) {
  const [isOpen, setOpen] = useState(false);
  const own = args.users?.[name] ?? {};
  const now = { ...own, ...settings };
  const all = [...new Set(args.available_user_tasks?.[name] ?? [])];
  const count = Number(now.fixed_count);
  const summary = [count > 0 ? `${count} user${count === 1 ? "" : "s"}` : now.weight !== undefined && `weight ${now.weight}`, now.host].filter(Boolean).join(", ");
  return (
    <div className="user-class">
      <Checkbox label={name} description={summary} checked={isChosen} onChange={(event) => onChoose(event.target.checked)} />
      {/* With many classes there are hundreds of fields: they are made when somebody wants to see them. */}
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary aria-label={`Settings of ${name}`}>Settings</summary>
        {isOpen && (
          <Stack gap="xs">
            {all.length > 1 && <MultiSelect label="Tasks" aria-label={`Tasks of ${name}`} size="xs" data={all} value={(now.tasks as string[] | undefined) ?? all} onChange={(tasks) => onChange({ ...settings, tasks })} />}
            {Object.entries(own).map(
              ([key, value]) => key !== "tasks" && <SettingField key={key} name={key} own={value} value={now[key]} onChange={(value) => onChange({ ...settings, [key]: value })} />,
            )}
          </Stack>
        )}
      </details>
    </div>
  );
}

interface Props {
  args: PageArgs;
  sent: MutableRefObject<Partial<Sent>>;
  isEdit: boolean;
  /** What the server's test has now; other windows and scripts change it, too. */
  running?: Generator["test"];
  users: number | null;
  rate: number | null;
  host: string;
  workers: number;
  onDone: (users: number | null, rate: number | null, host: string) => void;
}

/** Starts a test, or changes the one that runs. */
export function TestForm({ args, sent, isEdit, running, users, rate, host, workers, onDone }: Props) {
  const [userCount, setUserCount] = useState<string | number>(users ?? 1);
  const [spawnRate, setSpawnRate] = useState<string | number>(rate ?? 1);
  const [target, setTarget] = useState(host);
  const [runTime, setRunTime] = useState(sent.current.runTime ?? String(args.run_time ?? ""));
  const [profile, setProfile] = useState(sent.current.profile ?? args.profile ?? "");
  const all = args.available_user_classes ?? [];
  const [classes, setClasses] = useState(sent.current.classes ?? all);
  const [shape, setShape] = useState(sent.current.shape ?? args.available_shape_classes[0]);
  const [settings, setSettings] = useState(sent.current.settings ?? {});
  // A running test is shown as it is; a new one begins with what the last one here was given.
  const [begun] = useState<Fields>(() =>
    Object.fromEntries(
      Object.entries(args.extra_options).map(([name, field]) => {
        const now = isEdit ? running?.options[name] : undefined;
        return [name, now !== undefined ? initial({ ...field, default_value: now }) : (sent.current.fields?.[name] ?? initial(field))];
      }),
    ),
  );
  const [fields, setFields] = useState(begun);
  const [refusal, setRefusal] = useState("");
  const [isSending, setSending] = useState(false);
  // A running test is changed only where its shape leaves something to change.
  const hasUsers = isEdit || (!args.hide_common_options && (shape === "Default" || Boolean(args.shape_use_common_options)));
  const looksOdd = target !== "" && !/^[a-z][a-z\d+.-]*:\/\/[^\s/?#]/i.test(target);
  const lacksWorkers = args.is_distributed && workers === 0;

  async function submit(event: FormEvent) {
    event.preventDefault();
    // The browser itself does not look into these.
    const lacking = Object.entries(args.extra_options).find(([name, field]) => field.is_required && field.is_multiple && fields[name].length === 0);
    if (lacking) {
      setRefusal(`${lacking[0]}: at least one has to be chosen.`);
      return;
    }
    setSending(true);
    setRefusal("");
    const body: [string, string][] = [];
    if (hasUsers) {
      body.push(["user_count", String(userCount)], ["spawn_rate", String(spawnRate)]);
    }
    if (!isEdit) {
      body.push(["host", target], ["run_time", hasUsers ? runTime : ""], ["profile", profile]);
      if (args.show_userclass_picker) {
        body.push(...classes.map((name): [string, string] => ["user_classes", name]), ["shape_class", shape]);
      }
    } else if (args.show_userclass_picker && running?.shape) {
      body.push(["shape_class", running.shape]);
    }
    for (const [name, value] of Object.entries(fields)) {
      // What nobody touched here may have been changed elsewhere meanwhile.
      if (!isEdit || String(value) !== String(begun[name])) {
        body.push(...(value.length === 0 ? [""] : [value].flat()).map((item): [string, string] => [name, item]));
      }
    }
    try {
      for (const [name, changed] of isEdit ? [] : Object.entries(settings)) {
        await post("user", JSON.stringify({ ...changesOf(changed, args.users?.[name] ?? {}), user_class_name: name }));
      }
      const answer = await (await post("swarm", new URLSearchParams(body))).json();
      if (answer.success) {
        sent.current = isEdit ? { ...sent.current, fields } : { fields, settings, classes, shape, runTime, profile };
        onDone(hasUsers ? Number(userCount) : null, hasUsers ? Number(spawnRate) : null, answer.host ?? target);
      } else {
        setRefusal(answer.message);
      }
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
    setSending(false);
  }

  return (
    <form onSubmit={submit} aria-label={isEdit ? "Edit the running test" : "Start a test"}>
      <Stack gap="sm">
        {hasUsers ? (
          <>
            <NumberInput label="Number of users" name="userCount" description="How many run at the peak" min={0} allowDecimal={false} required value={userCount} onChange={setUserCount} data-autofocus />
            <NumberInput label="Ramp-up" name="spawnRate" description="Users started per second" min={0.0001} decimalScale={4} required value={spawnRate} onChange={setSpawnRate} />
          </>
        ) : (
          <Alert color="blue">A load shape decides how many users run.</Alert>
        )}
        {!isEdit && (
          <>
            <TextInput
              label="Host"
              name="host"
              description={args.override_host_warning ? "The user classes have several hosts; this one would replace them all" : "What is tested"}
              placeholder="https://www.example.com"
              required={args.is_host_required}
              value={target}
              onChange={(event) => setTarget(event.target.value)}
            />
            {looksOdd && <Alert color="yellow">A host begins with a scheme, as in https://www.example.com</Alert>}
            {args.missing_host_warning && target === "" && <Alert color="yellow">Some user classes have no host.</Alert>}
            {args.show_userclass_picker && all.length > 0 && (
              <fieldset>
                <legend>User classes</legend>
                <Stack gap="xs">
                  {all.length > 1 && (
                    <Checkbox
                      label="All classes"
                      description={classes.length === 0 ? "None chosen: all of them run" : undefined}
                      checked={classes.length === all.length}
                      indeterminate={classes.length > 0 && classes.length < all.length}
                      onChange={(event) => setClasses(event.target.checked ? all : [])}
                    />
                  )}
                  <div className="user-classes">
                    {all.map((name) => (
                      <ClassRow
                        key={name}
                        {...{ name, args }}
                        isChosen={classes.includes(name)}
                        settings={settings[name] ?? {}}
                        onChoose={(isChosen) => setClasses(isChosen ? [...classes, name] : classes.filter((one) => one !== name))}
                        onChange={(own) => setSettings({ ...settings, [name]: own })}
                      />
                    ))}
                  </div>
                  {args.available_shape_classes.length > 1 && (
                    <NativeSelect label="Load shape" name="shapeClass" data={args.available_shape_classes} value={shape} onChange={(event) => setShape(event.target.value)} />
                  )}
                </Stack>
              </fieldset>
            )}
          </>
        )}
        {Object.entries(args.extra_options).map(([name, field]) => (
          <OptionField key={name} name={name} field={field} value={fields[name]} onChange={(value) => setFields({ ...fields, [name]: value })} />
        ))}
        {!isEdit && (
          <Accordion variant="contained">
            <Accordion.Item value="advanced">
              <Accordion.Control>Advanced options</Accordion.Control>
              <Accordion.Panel>
                <Stack gap="sm">
                  <TextInput
                    label="Run time"
                    name="runTime"
                    description={hasUsers ? "For example 20, 20s, 3m, 2h, 1h20m; empty: until it is stopped" : "The test ends when its load shape does"}
                    disabled={!hasUsers}
                    value={runTime}
                    onChange={(event) => setRunTime(event.target.value)}
                  />
                  <Autocomplete label="Profile" name="profile" description="A name for this kind of test" data={args.all_profiles ?? []} value={profile} onChange={setProfile} />
                </Stack>
              </Accordion.Panel>
            </Accordion.Item>
          </Accordion>
        )}
        {lacksWorkers && <Alert color="yellow">No worker has connected yet: there is nobody to run the users.</Alert>}
        {refusal && (
          <Alert color="red" role="alert">
            {refusal}
          </Alert>
        )}
        <Button type="submit" loading={isSending} disabled={lacksWorkers}>
          {isEdit ? "Change the test" : "Start"}
        </Button>
      </Stack>
    </form>
  );
}
