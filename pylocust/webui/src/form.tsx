import { Accordion, Alert, Autocomplete, Button, Checkbox, MultiSelect, NativeSelect, NumberInput, PasswordInput, Stack, TextInput } from "@mantine/core";
import { type FormEvent, type MutableRefObject, useState } from "react";
import { post } from "./api";
import type { Field, PageArgs } from "./types";

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

function initial(field: Field): string | string[] {
  const value = field.default_value;
  return Array.isArray(value) ? value.map(String) : value === null ? "" : String(value);
}

export type Fields = Record<string, string | string[]>;

/** What one class may be given other than its script says. */
interface ClassSettings {
  tasks?: string[];
  weight?: number;
  fixed_count?: number;
  host?: string;
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
  const own = args.users?.[name];
  const all = [...new Set(args.available_user_tasks?.[name] ?? [])];
  const number = (value: string | number) => (value === "" ? undefined : Number(value));
  const summary = own && `${own.fixed_count ? `${own.fixed_count} user${own.fixed_count === 1 ? "" : "s"}` : `weight ${own.weight}`}${own.host ? `, ${own.host}` : ""}`;
  return (
    <div className="user-class">
      <Checkbox label={name} description={summary} checked={isChosen} onChange={(event) => onChoose(event.target.checked)} />
      <details>
        <summary aria-label={`Settings of ${name}`}>Settings</summary>
        <Stack gap="xs">
          {all.length > 1 && <MultiSelect label="Tasks" aria-label={`Tasks of ${name}`} size="xs" data={all} value={settings.tasks ?? [...new Set(own?.tasks ?? all)]} onChange={(tasks) => onChange({ ...settings, tasks })} />}
          <NumberInput label="Weight" size="xs" min={0} value={settings.weight ?? own?.weight ?? 1} onChange={(value) => onChange({ ...settings, weight: number(value) })} />
          <NumberInput label="Fixed count" size="xs" min={0} allowDecimal={false} value={settings.fixed_count ?? own?.fixed_count ?? 0} onChange={(value) => onChange({ ...settings, fixed_count: number(value) })} />
          <TextInput label="Host of this class" size="xs" value={settings.host ?? own?.host ?? ""} onChange={(event) => onChange({ ...settings, host: event.target.value })} />
        </Stack>
      </details>
    </div>
  );
}

interface Props {
  args: PageArgs;
  /** The options as they were last sent. */
  sent: MutableRefObject<Fields>;
  isEdit: boolean;
  users: number | null;
  rate: number | null;
  host: string;
  workers: number;
  onDone: (users: number | null, rate: number | null, host: string) => void;
}

/** Starts a test, or changes the one that runs. */
export function TestForm({ args, sent, isEdit, users, rate, host, workers, onDone }: Props) {
  const [userCount, setUserCount] = useState<string | number>(users ?? 1);
  const [spawnRate, setSpawnRate] = useState<string | number>(rate ?? 1);
  const [target, setTarget] = useState(host);
  const [runTime, setRunTime] = useState(String(args.run_time ?? ""));
  const [profile, setProfile] = useState(args.profile ?? "");
  const [classes, setClasses] = useState(args.available_user_classes ?? []);
  const [shape, setShape] = useState(args.available_shape_classes[0]);
  const [settings, setSettings] = useState<Record<string, ClassSettings>>({});
  const [fields, setFields] = useState<Fields>(() =>
    Object.fromEntries(Object.entries(args.extra_options).map(([name, field]) => [name, sent.current[name] ?? initial(field)])),
  );
  const [refusal, setRefusal] = useState("");
  const [isSending, setSending] = useState(false);
  const hasUsers = !args.hide_common_options && (shape === "Default" || Boolean(args.shape_use_common_options));
  const looksOdd = target !== "" && !/^https?:\/\//.test(target);
  const lacksWorkers = args.is_distributed && workers === 0;

  async function submit(event: FormEvent) {
    event.preventDefault();
    setSending(true);
    setRefusal("");
    const body: [string, string][] = [];
    if (hasUsers) {
      body.push(["user_count", String(userCount)], ["spawn_rate", String(spawnRate)]);
    }
    if (!isEdit) {
      body.push(["host", target], ["run_time", runTime], ["profile", profile]);
      if (args.show_userclass_picker) {
        body.push(...classes.map((name): [string, string] => ["user_classes", name]), ["shape_class", shape]);
      }
    }
    for (const [name, value] of Object.entries(fields)) {
      body.push(...[value].flat().map((item): [string, string] => [name, item]));
    }
    try {
      for (const [name, own] of Object.entries(settings)) {
        await post("user", JSON.stringify({ user_class_name: name, ...own }));
      }
      const answer = await (await post("swarm", new URLSearchParams(body))).json();
      if (answer.success) {
        sent.current = fields;
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
            <NumberInput label="Number of users" description="How many run at the peak" min={0} allowDecimal={false} required value={userCount} onChange={setUserCount} data-autofocus />
            <NumberInput label="Ramp-up" description="Users started per second" min={0.01} decimalScale={2} required value={spawnRate} onChange={setSpawnRate} />
          </>
        ) : (
          <Alert color="blue">A load shape decides how many users run.</Alert>
        )}
        {!isEdit && (
          <>
            <TextInput
              label="Host"
              description={args.override_host_warning ? "The user classes have several hosts; this one would replace them all" : "What is tested"}
              placeholder="https://www.example.com"
              required={args.is_host_required}
              value={target}
              onChange={(event) => setTarget(event.target.value)}
            />
            {looksOdd && <Alert color="yellow">A host begins with http:// or https://</Alert>}
            {args.missing_host_warning && target === "" && <Alert color="yellow">Some user classes have no host.</Alert>}
            {args.show_userclass_picker && args.available_user_classes && (
              <fieldset>
                <legend>User classes</legend>
                <Stack gap="xs">
                  {args.available_user_classes.map((name) => (
                    <ClassRow
                      key={name}
                      {...{ name, args }}
                      isChosen={classes.includes(name)}
                      settings={settings[name] ?? {}}
                      onChoose={(isChosen) => setClasses(isChosen ? [...classes, name] : classes.filter((one) => one !== name))}
                      onChange={(own) => setSettings({ ...settings, [name]: own })}
                    />
                  ))}
                  {args.available_shape_classes.length > 1 && (
                    <NativeSelect label="Load shape" data={args.available_shape_classes} value={shape} onChange={(event) => setShape(event.target.value)} />
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
                  <TextInput label="Run time" description="For example 20, 20s, 3m, 2h, 1h20m; empty: until it is stopped" value={runTime} onChange={(event) => setRunTime(event.target.value)} />
                  <Autocomplete label="Profile" description="A name for this kind of test" data={args.all_profiles ?? []} value={profile} onChange={setProfile} />
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
