//go:build linux

package session

import (
	"reflect"
	"testing"
)

// TestMessageFields sees that no field of a message is left out on its way: one by one, each is set and has to arrive.
func TestMessageFields(t *testing.T) {
	here, file, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := newSocket(file)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	m := &message{}
	sent := 0
	eachField("message", reflect.ValueOf(m).Elem(), func(name string) {
		if m.Setup != nil && m.Setup.Vars == nil {
			m.Setup.Vars = map[string]string{}
		}
		if err := here.put(m); err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
		got, err := there.get()
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("after %s: %+v, %v", name, got, err)
		}
		sent++
	})
	if sent < 30 {
		t.Errorf("%d fields", sent)
	}
}

// eachField sets the fields of a struct one after the other to something, and calls done for each.
func eachField(path string, v reflect.Value, done func(string)) {
	for i := range v.NumField() {
		f, name := v.Field(i), path+"."+v.Type().Field(i).Name
		if !f.CanSet() {
			continue
		}
		switch f.Kind() {
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			eachField(name, f.Elem(), done)
		case reflect.String:
			f.SetString("x\xff")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(-7)
		case reflect.Uint32:
			f.SetUint(1<<32 - 1)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 2, 2))
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"a": "b", "": "c"}))
		}
		done(name)
	}
}
